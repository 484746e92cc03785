"""The part of the page that transcribes: a file or a recording in, words to read, hear and download out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from nicegui import events, ui

from audioseq.errors import AudioError
from audioseq.files import printable
from audioseq.server.service import Service
from audioseq.server.web.files import SharedFiles, SharedFolder, download_link
from audioseq.server.web.messages import Messages
from audioseq.server.web.playback import Playback, make_playback, waveform_html
from audioseq.server.web.transcript_view import FORMATS, clock, pair_words, segment_html
from audioseq.server.web.uploads import uploader
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
        self._done = (0.0, 0.0)  # seconds, and the total
        self._new: list[tuple[Segment, Sequence[Word]]] = []  # not shown yet
        ui.context.client.on_delete(self.close)
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("inputs"):
                self._uploader = uploader(
                    "Choose a recording", ACCEPTED, service.options.max_upload, self._receive, self._reject
                )
                self._record = ui.button("Record", icon="mic").props("outline no-caps")
                self._record.on(
                    "click", js_handler=f"() => toggleRecording(getElement({self._uploader.id}).$refs.qRef)"
                )
                ui.html('<span id="record-time" role="timer"></span>', sanitize=False)
            ui.html('<p id="live-text" class="live" aria-live="polite"></p>', sanitize=False)
            ui.on("recording", self._show_microphone)
            with ui.row().classes("controls"):
                self._hotwords = ui.input(
                    "Expected words", placeholder="names and terms, separated by commas"
                ).classes("wide")
                self._greedy = ui.select(_decodings(service), value=service.decoding() is None, label="Model")
                self._again = ui.button("Transcribe again", icon="refresh", on_click=self._start)
                self._again.props("flat no-caps").set_visibility(False)
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
        """Stop a running transcription."""
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

    async def _receive(self, event: events.UploadEventArguments) -> None:
        """Store an upload, show its waveform, and transcribe it."""
        self._uploader.reset()
        self.close()
        self._recording = None
        self._again.set_visibility(False)
        for part in (self._wave, self._audio):
            part.set_content("")
        self._clear_transcript()
        with self._messages.catch():
            self._recording = await self._store(event)
            playback = self._recording.playback
            url = self._recording.folder.share(playback.path, "recording.wav")
            self._wave.set_content(waveform_html(playback))
            self._audio.set_content(f'<audio id="recording" controls preload="auto" src="{url}"></audio>')
            self._start()

    async def _store(self, event: events.UploadEventArguments) -> _Recording:
        folder = self._files.create_folder()
        self._stack.callback(folder.close)
        source, limit = folder.path / "upload", self._service.options.max_seconds
        await event.file.save(source)
        try:
            playback = await asyncio.to_thread(make_playback, source, folder.path / "play.wav", limit)
        except AudioError as error:
            raise AudioError(str(error).replace(str(source), printable(event.file.name), 1)) from error
        return _Recording(event.file.name, source, folder, playback)

    def _start(self) -> None:
        self.cancel()
        assert self._recording is not None
        self._task = asyncio.create_task(self._transcribe(self._recording))

    async def _transcribe(self, recording: _Recording) -> None:
        """Transcribe a recording; its segments appear as soon as they are complete."""
        self._clear_transcript()
        self._done = (0.0, recording.playback.seconds)
        self._show_progress()
        self._set_working(True)
        hotwords = [word.strip() for word in re.split("[,;]", self._hotwords.value or "") if word.strip()]
        try:
            with self._messages.catch():
                async with self._service.slot():
                    transcript = await self._service.transcribe(
                        recording.source,
                        name=recording.name,
                        hotwords=hotwords,
                        greedy=self._greedy.value,
                        progress=lambda *done: setattr(self, "_done", done),
                        on_segment=lambda *segment: self._new.append(segment),
                    )
                self._show(replace(transcript, path=recording.name), recording)
        finally:
            self._set_working(False)

    def _set_working(self, working: bool) -> None:
        self._working.set_visibility(working)
        self._timer.activate() if working else self._timer.deactivate()
        self._again.set_visibility(not working)

    def _show_progress(self) -> None:
        done, total = self._done
        self._bar.set_value(min(done / max(total, 1e-3), 1.0))
        self._status.set_text(f"{clock(done)} of {clock(total)}" if done else "Transcribing…")
        new, self._new = self._new, []
        self._add_segments(new)

    def _clear_transcript(self) -> None:
        self._new = []
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
                "Click a word to hear it. The darker its shade, the less certain it is.</p>",
                sanitize=False,
            )
            with ui.row().classes("downloads"):
                for form in FORMATS:
                    content = writers.write(transcript, form).encode()
                    name = f"{Path(recording.name).stem}.{form}"
                    download_link(form, recording.folder.write(name, content))


def _decodings(service: Service) -> dict[bool, str]:
    """Return the choices of whether to decode greedily; only one if there are no language models."""
    name = service.model_name
    if service.decoding() is None:
        return {True: name}
    return {False: f"{name}, with language models", True: f"{name}, greedy: faster, more errors"}
