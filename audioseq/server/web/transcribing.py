"""The part of the page that transcribes: a file or a recording in, words to read, hear and download out."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from nicegui import events, ui

from audioseq.errors import AudioError
from audioseq.files import printable
from audioseq.server.hotwords import MAX_HOTWORDS
from audioseq.server.service import Service
from audioseq.server.web.files import SharedFiles, SharedFolder, download_link
from audioseq.server.web.messages import Messages
from audioseq.server.web.playback import Playback, make_playback, waveform_html
from audioseq.server.web.transcript_view import FORMATS, clock, pair_words, segment_html
from audioseq.server.web.uploads import uploader
from audioseq.server.work import Check
from audioseq.speech import writers
from audioseq.speech.transcript import Segment, Transcript, Word

ACCEPTED = "audio/*,video/*,.amr,.gsm,.sph,.opus,.flac,.m4a"
"""What the browser offers to choose: browsers do not know the types of all formats."""
REFRESH_SECONDS = 0.3
"""Interval in which the progress and the words of a long recording appear."""


@dataclass(frozen=True)
class _Recording:
    name: str
    source: Path
    folder: SharedFolder
    playback: Playback


@dataclass
class _Progress:
    """What running work has done; it is written by other threads, and is not that of other work."""

    action: str
    total: float = 0.0
    """Length of the recording, seconds."""
    done: float = 0.0
    """Seconds of the recording that are done."""
    segments: list[tuple[Segment, Sequence[Word]]] = field(default_factory=list)
    """Segments that are not shown yet."""


class TranscribePart:
    """One browser's recording and its transcript.

    Args:
        service: transcribes.
        files: shares the recording and the transcripts with the browser.
    """

    def __init__(self, service: Service, files: SharedFiles) -> None:
        self._service, self._files = service, files
        self._recording: _Recording | None = None
        self._stack = ExitStack()  # removes the files of the recording
        self._task: asyncio.Task[None] | None = None
        self._progress = _Progress("Reading")
        ui.context.client.on_delete(self.close)
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("inputs"):
                self._uploader = uploader(
                    "Choose a recording", ACCEPTED, service.options.max_upload, self._receive, self._reject
                )
                self._record = ui.button("Record", icon="mic").props("outline no-caps")
                self._record.on(
                    "click",
                    js_handler=f"() => toggleRecording(getElement({self._uploader.id}).$refs.qRef, "
                    f"JSON.parse(getHtmlElement({self._record.id}).dataset.config))",
                )
                ui.html('<span id="record-time" role="timer"></span>', sanitize=False)
            ui.html('<p id="live-text" class="live" aria-live="polite"></p>', sanitize=False)
            ui.on("recording", self._show_microphone)
            with ui.row().classes("controls"):
                self._hotwords = ui.input(
                    "Expected words", placeholder="names and terms, separated by commas"
                ).classes("wide")
                choices = _choices(service)
                self._choice = ui.select(choices, value=next(iter(choices)), label="Model")
                self._again = ui.button("Transcribe again", icon="refresh", on_click=self._transcribe_again)
                self._again.props("flat no-caps").set_visibility(False)
            for chosen in (self._hotwords, self._choice):
                chosen.on_value_change(self._configure_microphone)
            self._configure_microphone()
        self._messages = Messages()
        with ui.row().classes("controls") as self._working:
            self._bar = ui.linear_progress(0, show_value=False).props('aria-label="Transcription"')
            self._status = ui.label().props("role=status")
            ui.button("Cancel", on_click=self.cancel).props("flat no-caps dense")
        self._working.set_visibility(False)
        self._timer = ui.timer(REFRESH_SECONDS, self._show_progress, active=False)
        self._wave = ui.html(sanitize=False).classes("wide")
        self._audio = ui.html(sanitize=False).classes("wide")
        self._text = ui.element("div").classes("transcript").props('role=region aria-label="Transcript"')
        self._below = ui.column().classes("result")

    def close(self) -> None:
        """Stop, and remove the files."""
        self.cancel()
        self._stack.close()

    def cancel(self) -> None:
        """Stop what runs."""
        if self._task is not None:
            self._task.cancel()

    def _reject(self) -> None:
        self._messages.clear()
        limit = self._service.options.max_upload / 1e6
        self._messages.show(
            f"the file is not a recording, or larger than {limit:g} MB; choose another one", error=True
        )

    def _show_microphone(self, event: events.GenericEventArguments) -> None:
        """Show that the microphone is on or off, or why it cannot be used."""
        self._messages.clear()
        if reason := event.args.get("error"):
            self._messages.show(reason, error=True)
        on = bool(event.args.get("on"))
        self._record.set_text("Stop" if on else "Record")
        self._record.props(f"icon={'stop' if on else 'mic'} color={'red' if on else 'primary'}")

    def _expected_words(self) -> list[str]:
        return [word.strip() for word in re.split("[,;]", self._hotwords.value or "") if word.strip()]

    def _configure_microphone(self) -> None:
        """Keep the configuration of the live stream where the script of the page finds it."""
        config = {"model": self._choice.value[0], "phrase_list": self._expected_words()[:MAX_HOTWORDS]}
        self._record.props["data-config"] = json.dumps(config)

    async def _receive(self, event: events.UploadEventArguments) -> None:
        """Store an upload, show its waveform, and transcribe it."""
        self._uploader.reset()
        self.close()
        self._recording = None
        self._again.set_visibility(False)
        for part in (self._wave, self._audio):
            part.set_content("")
        self._clear_transcript()
        folder = self._files.create_folder()
        self._stack.callback(folder.close)
        await event.file.save(folder.path / "upload")
        self._start(partial(self._read_and_transcribe, event.file.name, folder))

    def _transcribe_again(self) -> None:
        assert self._recording is not None
        self._start(partial(self._transcribe, self._recording))

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        """Start work instead of what runs."""
        self.cancel()
        self._task = asyncio.create_task(self._do(work))

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do work, and show its progress and its error."""
        self._set_working(True)
        try:
            with self._messages.catch():
                async with self._service.slot():
                    await work()
        finally:
            if self._task is asyncio.current_task():  # other work may have begun
                self._set_working(False)

    async def _read_and_transcribe(self, name: str, folder: SharedFolder) -> None:
        """Show the waveform of a recording, and transcribe it."""
        source, target = folder.path / "upload", folder.path / "play.wav"
        progress = self._show_progress_of("Reading")

        def read(check: Check) -> Playback:
            def note(done: float, total: float) -> None:
                check()
                progress.done, progress.total = done, total

            return make_playback(source, target, self._service.options.max_seconds, note)

        try:
            playback = await self._service.read(read)
        except AudioError as error:
            raise AudioError(str(error).replace(str(source), printable(name), 1)) from error
        url = folder.share(target, "recording.wav")
        self._wave.set_content(waveform_html(playback))
        self._audio.set_content(f'<audio id="recording" controls preload="auto" src="{url}"></audio>')
        self._recording = _Recording(name, source, folder, playback)
        await self._transcribe(self._recording)

    async def _transcribe(self, recording: _Recording) -> None:
        """Transcribe a recording; its segments appear as soon as they are complete."""
        self._clear_transcript()
        progress = self._show_progress_of("Transcribing", recording.playback.seconds)
        name, greedy = self._choice.value
        transcript = await self._service.transcribe(
            self._service.find_model(name),
            recording.source,
            name=recording.name,
            hotwords=self._expected_words(),
            greedy=greedy,
            progress=lambda done, total: setattr(progress, "done", done),
            on_segment=lambda *segment: progress.segments.append(segment),
        )
        self._show(replace(transcript, path=recording.name), recording)

    def _set_working(self, working: bool) -> None:
        self._working.set_visibility(working)
        self._timer.activate() if working else self._timer.deactivate()
        self._again.set_visibility(not working and self._recording is not None)

    def _show_progress_of(self, action: str, total: float = 0.0) -> _Progress:
        """Show the progress of an action from now on, and return where it is noted."""
        self._progress = _Progress(action, total)
        self._show_progress()
        return self._progress

    def _show_progress(self) -> None:
        now = self._progress
        self._bar.set_value(min(now.done / max(now.total, 1e-3), 1.0))
        place = f": {clock(now.done)} of {clock(now.total)}" if now.done and now.total else "…"
        self._status.set_text(now.action + place)
        new, now.segments = now.segments, []
        self._add_segments(new)

    def _clear_transcript(self) -> None:
        self._text.clear()
        self._below.clear()

    def _add_segments(self, segments: Sequence[tuple[Segment, Sequence[Word]]]) -> None:
        with self._text:
            for segment, words in segments:
                first = not self._text.default_slot.children
                ui.html(segment_html(segment, words, first=first), sanitize=False, tag="p")

    def _show(self, transcript: Transcript, recording: _Recording) -> None:
        """Show a complete transcript."""
        self._clear_transcript()
        for warning in transcript.warnings:
            self._messages.show(f"Read with care: {warning}.")
        self._wave.set_content(waveform_html(recording.playback, transcript.segments))
        self._add_segments(pair_words(transcript))
        with self._below:
            if not transcript.text:
                ui.label("No speech was found.").props("role=status")
                return
            ui.html(
                '<p id="word-details" class="hint" role="status">'
                "Click a word to hear it. The stronger its shade, the less certain it is.</p>",
                sanitize=False,
            )
            with ui.row().classes("downloads"):
                for form in FORMATS:
                    content = writers.write(transcript, form).encode()
                    name = f"{Path(recording.name).stem}.{form}"
                    download_link(form, recording.folder.write(name, content))


def _choices(service: Service) -> dict[tuple[str, bool], str]:
    """Return the models, each with and, where it matters, without language models: (name, greedy)."""
    choices = {}
    for name, model in service.models.items():
        if model.decoding() is None:
            choices[name, True] = name
        else:
            choices[name, False] = f"{name}, with language models"
            choices[name, True] = f"{name}, greedy: faster, more errors"
    return choices
