// What the page does in the browser: play words, follow the sound, move between words, record.
"use strict";

const $ = (selector) => document.querySelector(selector);
const PLAY_MARGIN = 0.05; // seconds of sound around a word
const words = document.getElementsByClassName("word");
let stopAt = Infinity; // end of the word that is played, seconds
let playing = null; // word that is marked

const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

function describe(word) {
  const { start, end, confidence } = word.dataset;
  $("#word-details").textContent =
    `“${word.textContent}”, ${clock(+start)} to ${clock(+end)}, confidence ${confidence} %`;
}

// Return the last word that starts before a time in seconds.
function wordAt(seconds) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].dataset.start <= seconds) low = middle + 1;
    else high = middle;
  }
  return words[low - 1];
}

function play(start, end) {
  const audio = $("#recording");
  stopAt = end;
  audio.currentTime = start;
  audio.play();
}

function follow() {
  const audio = $("#recording");
  if (!audio) return;
  const now = audio.currentTime;
  if (now >= stopAt) {
    audio.pause();
    stopAt = Infinity;
  }
  $("#playhead").style.left = `${(100 * now) / (audio.duration || 1)}%`;
  playing?.classList.remove("playing");
  playing = audio.paused ? null : wordAt(now);
  playing?.classList.add("playing");
  if (!audio.paused) requestAnimationFrame(follow);
}

// The events of media do not bubble, so they are captured.
for (const kind of ["play", "pause", "seeked"]) {
  document.addEventListener(kind, (event) => event.target.id === "recording" && follow(), true);
}

document.addEventListener("click", (event) => {
  const target = event.target.closest(".word, .time, .wave");
  if (!target) return;
  if (target.matches(".wave")) {
    const box = target.getBoundingClientRect();
    stopAt = Infinity;
    $("#recording").currentTime = ((event.clientX - box.left) / box.width) * $("#recording").duration;
  } else if (target.matches(".time")) {
    play(+target.dataset.start, Infinity);
  } else {
    focusWord(target);
    play(Math.max(0, target.dataset.start - PLAY_MARGIN), +target.dataset.end + PLAY_MARGIN);
  }
});

function focusWord(word) {
  document.querySelectorAll('.word[tabindex="0"]').forEach((other) => (other.tabIndex = -1));
  word.tabIndex = 0;
  word.focus();
}

document.addEventListener("focusin", (event) => event.target.matches(".word") && describe(event.target));

document.addEventListener("keydown", (event) => {
  if (!event.target.matches(".word")) return;
  const here = [...words].indexOf(event.target);
  const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: words.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  if (words[next]) focusWord(words[next]);
});

const WORKLET = `registerProcessor("samples", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage(samples.slice());
    return true;
  }
})`;
const BLOCK_SECONDS = 0.25; // sound in a message of the live stream

// Send the sound of a stream to the server, in Vosk's protocol, and show the words so far.
// Returns a function that stops it. Without an answer the recording goes on: it is transcribed at its end.
async function showLiveText(stream, config) {
  const context = new AudioContext();
  const address = new URL("vosk", document.baseURI);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  const finals = [];
  let block = [];
  socket.onopen = () => socket.send(JSON.stringify({ config: { ...config, sample_rate: context.sampleRate, words: false } }));
  socket.onmessage = ({ data }) => {
    const { text, partial } = JSON.parse(data);
    if (text) finals.push(text);
    $("#live-text").textContent = [...finals, partial].filter(Boolean).join(" ");
  };
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" })));
  const node = new AudioWorkletNode(context, "samples");
  node.port.onmessage = ({ data }) => {
    for (const sample of data) block.push(Math.max(-1, Math.min(1, sample)) * 32767);
    if (block.length < BLOCK_SECONDS * context.sampleRate || socket.readyState !== WebSocket.OPEN) return;
    socket.send(Int16Array.from(block));
    block = [];
  };
  context.createMediaStreamSource(stream).connect(node);
  return () => {
    socket.close();
    context.close();
    $("#live-text").textContent = "";
  };
}

let recorder = null;

// Start recording from the microphone, or stop it and hand the recording to an uploader.
// The configuration of the live stream has the model and the words to expect.
async function toggleRecording(uploader, config) {
  if (recorder) {
    recorder.stop();
    return;
  }
  if (!navigator.mediaDevices) {
    emitEvent("recording", { error: "this browser records only on https pages and on this computer itself; " +
      "open the page as http://localhost, or serve it through https" });
    return;
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    const reason = { NotAllowedError: "it is not allowed; allow it in the browser's settings for this page",
      NotFoundError: "there is none; connect one" }[error.name] || error.message;
    emitEvent("recording", { error: `microphone: ${reason}` });
    return;
  }
  const parts = [];
  const began = Date.now();
  recorder = new MediaRecorder(stream);
  const stopLiveText = showLiveText(stream, config);
  recorder.ondataavailable = (event) => parts.push(event.data);
  const timer = setInterval(() => {
    const seconds = Math.floor((Date.now() - began) / 1000);
    $("#record-time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }, 250);
  recorder.onstop = () => {
    clearInterval(timer);
    $("#record-time").textContent = "";
    stopLiveText.then((stop) => stop());
    stream.getTracks().forEach((track) => track.stop());
    const type = recorder.mimeType.split(";")[0]; // audio/webm, audio/ogg or audio/mp4
    recorder = null;
    emitEvent("recording", { on: false });
    uploader.addFiles([new File(parts, `recording.${type.split("/")[1]}`, { type })]);
  };
  recorder.start(1000);
  emitEvent("recording", { on: true });
}
