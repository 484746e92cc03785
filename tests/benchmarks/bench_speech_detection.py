"""Speech detection: the text and the warnings for recordings without speech, foreign speech and poor speech.

    python -m tests.benchmarks.bench_speech_detection [--music FOLDER] [--speech MANIFEST]... [--every 8]
        [--german TEXT] [--english TEXT] [--minutes 60] [--model MODEL]

Silence, and noise of three kinds at three levels, make one row each, `--minutes` together; music is as many
minutes of the MIDI files of the folder, rendered; speech is every N-th utterance of a manifest, unchanged,
at -40 dB and -60 dB, in white noise at a signal-to-noise ratio of 10 dB, clipped, and played backwards; the
two texts (one sentence per line) are spoken by espeak-ng and flite where they are installed. Reported for
each are the words in the transcripts, the recordings without any text, and the recordings with a warning:
of no speech or of little speech that the model knows; of parts that were left out; of clipping or a low
level. Noise and music are decoded with the recommended options, speech greedily: neither the omissions nor
the warnings depend on it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.data import read_manifest
from audioseq.midi import Score
from audioseq.models import default_for
from audioseq.music.rendering.render import render
from audioseq.speech import pipeline
from audioseq.speech.decoding.decoder import Decoding
from tests.benchmarks import report

RATE = audio.SAMPLE_RATE
LEVELS = (-60, -40, -20)


def at_level(waveform: np.ndarray, level: float) -> np.ndarray:
    """Return a waveform scaled to a mean power in dB of full scale."""
    return np.asarray(waveform * 10 ** (level / 20) / np.sqrt(np.mean(waveform**2)), np.float32)


def white(samples: int) -> np.ndarray:
    """Return noise `[samples]` of equal power at all frequencies."""
    return np.random.default_rng(samples).normal(size=samples)


def pink(samples: int) -> np.ndarray:
    """Return noise `[samples]` of equal power in each octave above 20 Hz."""
    spectrum = np.fft.rfft(white(samples))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 20)), samples)


def hum(samples: int) -> np.ndarray:
    """Return mains hum `[samples]`: 50 Hz and multiples of it, with a little noise."""
    phase = 100 * np.pi * np.arange(samples) / RATE
    return sum(np.sin(phase * k + k) / k for k in (1, 2, 3, 5, 7, 9)) + 0.01 * white(samples)


NOISES = {white: "white noise", pink: "pink noise", hum: "hum"}


def music(folder: Path, minutes: float) -> Iterator[np.ndarray]:
    """Yield rendered MIDI files of a folder, `minutes` together."""
    left = int(60 * minutes * RATE)
    for path in sorted(folder.rglob("*.mid")):
        rendered = render(Score.load(path), RATE)[:left]
        left -= len(rendered)
        yield rendered
        if not left:
            break


def changed(manifest: Path, every: int, change: Callable[[np.ndarray], np.ndarray]) -> Iterator[np.ndarray]:
    """Yield every N-th utterance of a manifest, changed by a function."""
    for utterance in read_manifest(manifest)[::every]:
        yield change(utterance.load())


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "unchanged": lambda waveform: waveform,
    "at -40 dB": lambda waveform: at_level(waveform, -40),
    "at -60 dB": lambda waveform: at_level(waveform, -60),
    "in white noise at 10 dB": lambda w: at_level(w, -26) + at_level(white(len(w)), -36),
    "clipped at 6 dB above its mean power": lambda waveform: at_level(waveform, -6).clip(-1, 1),
    "backwards": lambda waveform: waveform[::-1].copy(),
}
SYNTHESISERS = {
    "german": ("German, espeak-ng", "espeak-ng -v de -f {text} -w {wave}"),
    "english": ("English, flite slt", "flite -voice slt -f {text} -o {wave}"),
}
WARNINGS = {
    "warned: no known speech": ("no speech", "trust"),
    "parts left out": ("left out",),
    "warned: clipped or quiet": ("clipped", "quiet"),
}
"""Columns of the table, and parts of the warnings that count in each."""


def spoken(command: str, texts: Path, count: int = 60) -> Iterator[np.ndarray]:
    """Yield the first `count` lines of a text file, spoken by a speech synthesiser."""
    with tempfile.TemporaryDirectory() as directory:
        text, wave = Path(directory) / "text", Path(directory) / "wave.wav"
        for line in texts.read_text().splitlines()[:count]:
            text.write_text(line)
            subprocess.run(command.format(text=text, wave=wave).split(), check=True, capture_output=True)
            yield audio.load(wave)


def measure(
    name: str, recogniser: pipeline.Recogniser, recordings: Iterable[np.ndarray], decoding: Decoding = None
) -> report.Row:
    """Transcribe recordings, and return a row of the table."""
    transcripts = [recogniser.transcribe(recording, RATE, decoding=decoding) for recording in recordings]
    row: dict[str, str | float] = {
        "recordings": name,
        "files": len(transcripts),
        "minutes": round(sum(transcript.duration for transcript in transcripts) / 60, 1),
        "words": sum(len(transcript.raw.split()) for transcript in transcripts),
        "without text": sum(not transcript.text for transcript in transcripts),
    }
    for column, parts in WARNINGS.items():
        found = [
            any(part in text for text in transcript.warnings for part in parts) for transcript in transcripts
        ]
        row[column] = sum(found)
    report.show(row)
    return row


if __name__ == "__main__":
    parser = report.parser("speech_detection", __doc__)
    parser.add_argument("--music", type=Path)
    parser.add_argument("--speech", type=Path, action="append", default=[])
    parser.add_argument("--every", type=int, default=8, help="take every N-th utterance")
    parser.add_argument("--german", type=Path)
    parser.add_argument("--english", type=Path)
    parser.add_argument("--minutes", type=float, default=60, help="minutes of noise, and of music; 0: none")
    parser.add_argument("--model", default=default_for("speech"))
    arguments = parser.parse_args()
    recogniser = pipeline.load_recogniser(arguments.model, "cpu")
    rows = []
    for manifest in arguments.speech:
        for change, function in CHANGES.items():
            recordings = changed(manifest, arguments.every, function)
            rows.append(measure(f"{manifest.stem}, {change}", recogniser, recordings, "greedy"))
    for name, (title, command) in SYNTHESISERS.items():
        texts = getattr(arguments, name)
        if texts is not None and shutil.which(command.split()[0]):
            rows.append(measure(title, recogniser, spoken(command, texts), "greedy"))
    if arguments.minutes:
        samples = int(60 * arguments.minutes * RATE / (1 + 3 * len(LEVELS)))
        rows.append(measure("silence", recogniser, [np.zeros(samples, np.float32)]))
        for noise in NOISES:
            for power in LEVELS:
                waveform = at_level(noise(samples), power)
                rows.append(measure(f"{NOISES[noise]} at {power} dB", recogniser, [waveform]))
        if arguments.music is not None:
            played = music(arguments.music, arguments.minutes)
            rows.append(measure(f"music, {arguments.music.name}", recogniser, played))
    report.write(arguments.output, {arguments.model: rows})
