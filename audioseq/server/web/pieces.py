"""Pieces with the files that the page offers: image, audio and MIDI."""

from __future__ import annotations

from dataclasses import dataclass, replace

from audioseq import audio
from audioseq.midi import Score
from audioseq.music.analysis.plot import piano_roll
from audioseq.music.harmony.pipeline import Harmonisation
from audioseq.music.pipeline import DENSITIES, Composition, CompositionOptions
from audioseq.music.rendering.render import render
from audioseq.server.composing import ComposeOptions
from audioseq.server.web.files import SharedFolder
from audioseq.server.web.transcript_view import clock

SAMPLE_RATE = 44_100
"""Sample rate of the audio, Hz."""


@dataclass(frozen=True)
class Piece:
    """A piece with the addresses of its files."""

    name: str
    """Name of its files, without a suffix."""
    heading: str
    score: Score
    another: ComposeOptions
    """Options of a similar piece: those of this one, with another seed."""
    image: str
    """Address of the piano roll."""
    wav: str
    midi: str
    folder: SharedFolder
    warnings: tuple[str, ...]


def write_piece(made: Composition | Harmonisation, wanted: ComposeOptions, folder: SharedFolder) -> Piece:
    """Draw and render a piece, and write its files.

    Args:
        made: the piece.
        wanted: the options that it was made with.
        folder: folder of its files.
    Raises:
        AudioError: the sound font of `AUDIOSEQ_SOUNDFONT` does not exist.
    """
    score, options, warnings = made.score, wanted.options, made.warnings
    number = f"-{made.number + 1}" if wanted.count > 1 else ""
    heading = f"Seed {made.seed}{number}: "
    if isinstance(made, Composition):
        options = _like(made, options or CompositionOptions())
        heading += made.summary
        if made.copied:
            warnings += ("probably repeats a run of notes of the training data",)
    else:
        heading += "harmonised"
    name = f"audioseq-{made.seed}{number}"
    roll, sound = folder.path / "roll.png", folder.path / "sound.wav"
    piano_roll(score, roll, f"Seed {made.seed}{number}")
    audio.write(sound, render(score, SAMPLE_RATE), SAMPLE_RATE)
    return Piece(
        name,
        f"{heading}, {clock(score.end)}",
        score,
        replace(wanted, options=options, seed=None, count=1),
        image=folder.share(roll, f"{name}.png"),
        wav=folder.share(sound, f"{name}.wav"),
        midi=folder.write(f"{name}.mid", score.to_bytes()),
        folder=folder,
        warnings=warnings,
    )


def write_sheet(piece: Piece) -> str:
    """Write the sheet music of a piece in MusicXML, and return its address.

    Raises:
        MidiError: the piece has no notes.
    """
    path = piece.folder.path / "sheet.musicxml"
    piece.score.to_musicxml(path, title=piece.heading.partition(":")[0])
    return piece.folder.share(path, f"{piece.name}.musicxml")


def _like(made: Composition, options: CompositionOptions) -> CompositionOptions:
    """Return options with the properties of a piece for those that were left open."""
    low, high = DENSITIES
    return replace(
        options,
        style=None if made.style == "other" else made.style,
        key=made.key,
        tempo=made.tempo,
        density=options.density or min(max(made.density, low), high),
    )
