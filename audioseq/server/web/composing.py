"""The part of the page that composes: a form in, pieces to see, hear and download out."""

from __future__ import annotations

import asyncio
import importlib.util
from collections import deque
from contextlib import ExitStack
from functools import partial
from html import escape

from nicegui import events, ui

from audioseq.errors import ConfigError
from audioseq.midi import SUFFIXES
from audioseq.music.pipeline import CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.server.composing import ComposeOptions
from audioseq.server.service import Service
from audioseq.server.web.files import SharedFiles, SharedFolder, download_link
from audioseq.server.web.messages import Messages
from audioseq.server.web.pieces import Piece, write_piece, write_sheet
from audioseq.server.web.uploads import uploader

SAMPLE_RATE = 44_100
"""Sample rate of the audio, Hz."""
MAX_MELODY_BYTES = 8 * 10**6
KEPT_PIECES = 24
"""Pieces that the page shows; older ones are removed."""
ANY = "any"
"""Choice that leaves an option to the model."""
METERS = [f"{numerator}/{denominator}" for numerator, denominator in v.METERS[:9]]
"""The frequent time signatures."""
KEYS = [f"{tonic} {mode}" for tonic in v.TONICS for mode in ("major", "minor")]


class ComposePart:
    """The form of one browser, and its pieces.

    Args:
        service: composes.
        files: shares the files of the pieces with the browser.
    """

    def __init__(self, service: Service, files: SharedFiles) -> None:
        self._service, self._files = service, files
        self._shown: deque[tuple[ui.element, SharedFolder]] = deque()  # the newest first
        self._melody: bytes | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        ui.context.client.on_delete(self.close)
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("form"):
                self._style = ui.select([ANY, *v.STYLES[:-1]], value=ANY, label="Style")
                self._key = ui.select([ANY, *KEYS], value=ANY, label="Key", with_input=True)
                # Without min, max and precision: NiceGUI would replace a wrong number without a message.
                self._bars = ui.number("Bars", value=16)
                self._tempo = ui.number("Tempo, quarters/min", placeholder=ANY)
                self._density = ui.number("Density, notes/quarter", placeholder=ANY, step=0.5)
                self._count = ui.number("Pieces", value=1)
                self._seed = ui.number("Seed", placeholder="random")
                self._meter = ui.select([ANY, *METERS], value=ANY, label="Meter")
                self._chords = ui.input("Chords, bar by bar", placeholder="| C | Am7 | F G7 |")
                self._chords.classes("line")
            for field in (self._tempo, self._density, self._seed, self._chords):
                field.props("stack-label")  # shows the placeholder
            self._uploader = uploader(
                "Upload a melody (MIDI)", ",".join(SUFFIXES), MAX_MELODY_BYTES, self._receive, self._reject
            )
            with ui.row().classes("controls") as self._melody_row:
                self._melody_name = ui.label()
                self._use = ui.toggle({False: "continue it", True: "harmonise it"}, value=False)
                self._use.props("no-caps").on_value_change(self._show_choice)
                ui.button("Remove", on_click=self._remove_melody).props("flat no-caps dense")
            self._melody_row.set_visibility(False)
            with ui.row().classes("controls"):
                self._button = ui.button("Compose", icon="music_note", on_click=self._read_and_compose)
                self._button.props("no-caps unelevated")
                self._working = ui.row().classes("controls")
                with self._working:
                    ui.spinner()
                    ui.label("Composing…").props("role=status")
                    ui.button("Cancel", on_click=self.cancel).props("flat no-caps dense")
                self._working.set_visibility(False)
        self._messages = Messages()
        self._pieces = ui.column().classes("result")

    def close(self) -> None:
        """Stop, and remove the files of all pieces."""
        self.cancel()
        while self._shown:
            self._shown.pop()[1].close()

    def cancel(self) -> None:
        """Stop what is being composed."""
        for task in self._tasks:
            task.cancel()

    async def _receive(self, event: events.UploadEventArguments) -> None:
        self._uploader.reset()
        self._melody = await event.file.read()
        self._melody_name.set_text(event.file.name)
        self._melody_row.set_visibility(True)

    def _reject(self) -> None:
        self._messages.clear()
        self._messages.show("the melody is not a MIDI file, or larger than 8 MB; choose another", error=True)

    def _remove_melody(self) -> None:
        self._melody = None
        self._use.set_value(False)
        self._melody_row.set_visibility(False)

    def _show_choice(self) -> None:
        """Enable only the options that a harmonisation has."""
        options = self._style, self._key, self._bars, self._tempo, self._density, self._meter, self._chords
        for element in options:
            element.set_enabled(not self._use.value)

    async def _read_and_compose(self) -> None:
        with self._messages.catch():
            options = None
            if not self._use.value:
                options = CompositionOptions(
                    style=_chosen(self._style.value),
                    key=_chosen(self._key.value),
                    tempo=self._tempo.value,
                    density=self._density.value,
                    bars=_whole("bars", self._bars.value),
                    chords=self._chords.value or None,
                    meter=_chosen(self._meter.value),
                )
            count = _whole("pieces", self._count.value)
            await self._compose(
                ComposeOptions(
                    options,
                    seed=_whole("seed", self._seed.value),
                    count=1 if count is None else count,
                    primer=self._melody,
                    harmonise=self._use.value,
                )
            )

    async def _compose_another(self, wanted: ComposeOptions) -> None:
        with self._messages.catch():
            await self._compose(wanted)

    async def _save_sheet(self, piece: Piece) -> None:
        with self._messages.catch():
            ui.download.from_url(await self._service.run(partial(write_sheet, piece)))

    async def _compose(self, wanted: ComposeOptions) -> None:
        """Compose, and show the pieces above the others."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._show_working()
        try:
            async with self._service.slot():
                for made in reversed(await self._service.compose(wanted)):
                    folder = self._files.create_folder()
                    with ExitStack() as failed:
                        failed.callback(folder.close)
                        piece = await self._service.run(partial(write_piece, made, wanted, folder))
                        failed.pop_all()
                    self._show(piece, folder)
        finally:
            self._tasks.remove(task)
            self._show_working()

    def _show_working(self) -> None:
        self._button.set_enabled(not self._tasks)
        self._working.set_visibility(bool(self._tasks))

    def _show(self, piece: Piece, folder: SharedFolder) -> None:
        with self._pieces, ui.element("article").classes("panel piece") as card:
            ui.html(f"<h2>{escape(piece.heading)}</h2>", sanitize=False)
            for warning in piece.warnings:
                ui.label(warning).classes("message warning")
            ui.html(
                f'<div class="roll" tabindex="0" role="group" aria-label="Piano roll">'
                f'<img src="{piece.image}" alt="Piano roll of {escape(piece.heading)}"'
                f' style="--seconds: {piece.score.end:.0f}"></div>'
                f'<audio controls preload="metadata" src="{piece.wav}"></audio>',
                sanitize=False,
            ).classes("wide")
            with ui.row().classes("downloads"):
                download_link("MIDI", piece.midi)
                download_link("WAV", piece.wav)
                if importlib.util.find_spec("music21"):
                    ui.button("MusicXML", icon="download", on_click=partial(self._save_sheet, piece)).props(
                        "flat no-caps dense"
                    )
                another = partial(self._compose_another, piece.another)
                ui.button("Another like this", icon="casino", on_click=another).props("flat no-caps dense")
        card.move(target_index=0)
        self._shown.appendleft((card, folder))
        while len(self._shown) > KEPT_PIECES:
            oldest, files = self._shown.pop()
            oldest.delete()
            files.close()


def _chosen(value: str | None) -> str | None:
    return None if value in (None, ANY) else value


def _whole(name: str, value: float | None) -> int | None:
    """Return the whole number of a field; None if it is empty."""
    if value is None:
        return None
    if value != int(value):
        raise ConfigError(f"{name} is {value:g}; give a whole number")
    return int(value)
