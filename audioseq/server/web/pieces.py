"""Pieces with the files that the page offers: image, audio and MIDI."""

from __future__ import annotations

from dataclasses import dataclass, replace

from audioseq import audio
from audioseq.music.analysis.plot import piano_roll
from audioseq.music.harmony.pipeline import Harmonisation
from audioseq.music.pipeline import Composition, CompositionOptions
from audioseq.music.rendering.render import render
from audioseq.music.representation import vocabulary as v
from audioseq.server.composing import ComposeOptions
from audioseq.server.web.files import SharedFolder
from audioseq.server.web.transcript_view import clock

SAMPLE_RATE = 44_100
"""Sample rate of the audio, Hz."""


@dataclass(frozen=True)
class Piece:
    """A piece with the addresses of its files."""

    heading: str
    seconds: float
    """Length in seconds."""
    another: ComposeOptions
    """Options of a similar piece: those of this one, with another seed."""
    image: str
    """Address of the piano roll."""
    wav: str
    midi: str
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
    score, options, warnings = made.score, wanted.options, made.score.warnings
    number = f"-{made.number + 1}" if wanted.count > 1 else ""
    heading = f"Seed {made.seed}{number}: "
    if isinstance(made, Composition):
        options = _like(made, options or CompositionOptions())
        heading += f"{options.style or 'continued'}, {options.key}, {options.tempo:.0f} quarters a minute"
        if made.copied:
            warnings += ("Probably repeats a run of notes of the training data.",)
    else:
        heading += "harmonised"
        warnings += made.warnings
    name = f"audioseq-{made.seed}{number}"
    roll, sound = folder.path / "roll.png", folder.path / "sound.wav"
    piano_roll(score, roll, f"Seed {made.seed}{number}")
    audio.write(sound, render(score, SAMPLE_RATE), SAMPLE_RATE)
    return Piece(
        f"{heading}, {clock(score.end)}",
        score.end,
        replace(wanted, options=options, seed=None, count=1),
        image=folder.share(roll, f"{name}.png"),
        wav=folder.share(sound, f"{name}.wav"),
        midi=folder.write(f"{name}.mid", score.to_bytes()),
        warnings=warnings,
    )


def _like(made: Composition, options: CompositionOptions) -> CompositionOptions:
    """Return options with the values of a piece for those that were left open."""
    asked, score = made.conditions, made.score
    style = v.STYLES[asked.style]
    density = len(score.notes) / max(float(score.beats(score.end)), 1.0)
    return replace(
        options,
        style=None if style == "other" else style,
        key=f"{v.TONICS[asked.tonic]} {'minor' if asked.minor else 'major'}",
        tempo=score.tempos[0][1],
        density=options.density or min(max(density, 0.1), 50.0),
    )
