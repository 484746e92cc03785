"""A generated piece, and the files that can be written of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audioseq import __version__
from audioseq.midi import Score
from audioseq.music.composing.performance import humanise, release_keys
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.keys import key_name

if TYPE_CHECKING:
    from audioseq.music.rendering.render import Sound


@dataclass(frozen=True)
class Composition:
    """A generated piece.

    Args:
        score: the music.
        seed: the seed that reproduces the piece.
        number: index among the pieces of this seed, from 0.
        conditions: the requested properties, after sampling those that were left open.
        tempo: quarter notes per minute; of the continuation if there is a primer.
        nats_per_event: negative log-likelihood of the model at temperature 1; lower is likelier.
        density: notes per quarter note.
        copied: whether the piece shares a run of notes with the training data, up to false positives. If not,
            it shares no 17 consecutive notes with the pieces in the model's `Fingerprint`.
        resampled: how many events were rejected because they would have completed such a run.
        warnings: messages for the user, one line each.
        humanised_from: time from which the performance deviates from the grid, seconds; None for nowhere.
    """

    score: Score
    seed: int
    number: int
    conditions: Conditions
    tempo: float
    nats_per_event: float
    density: float
    copied: bool = False
    resampled: int = 0
    warnings: tuple[str, ...] = ()
    humanised_from: float | None = None

    @property
    def performance(self) -> Score:
        """The music as files and audio have it: keys released with the pedal, and timing if asked for."""
        played = release_keys(self.score)
        if self.humanised_from is None:
            return played
        return humanise(played, np.random.default_rng([self.seed, self.number]), self.humanised_from)

    @property
    def style(self) -> str:
        """Style of the piece: as requested, sampled, or inferred from the primer."""
        return v.STYLES[self.conditions.style]

    @property
    def key(self) -> str:
        """Key of the piece, such as `Eb major`."""
        return key_name(self.conditions.tonic, self.conditions.minor)

    @property
    def summary(self) -> str:
        """Style, key, tempo and density in one line."""
        return f"{self.style} in {self.key}, {self.tempo:.4g} bpm, {self.density:.2g} notes per quarter"

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; its text event records the seed."""
        self.performance.save(path)

    def to_musicxml(self, path: str | Path, *, title: str = "") -> None:
        """Write sheet music; see `Score.to_musicxml`."""
        self.score.to_musicxml(path, title=title)

    def to_wav(self, path: str | Path, sound: Sound | None = None) -> None:
        """Write audio (.wav, .flac or .mp3), by default in stereo with reverberation."""
        from audioseq.music.rendering.render import write_audio  # loads scipy.signal

        write_audio(self.performance, path, sound)

    def plot(self, path: str | Path) -> None:
        """Draw a piano roll (.png, .svg or .pdf)."""
        from audioseq.music.analysis.plot import piano_roll  # loads matplotlib

        piano_roll(self.score, Path(path))


def describe_origin(seed: int, number: int, conditions: Conditions, bpm: float) -> str:
    """Return the text that is stored in the MIDI file."""
    style, key = v.STYLES[conditions.style], key_name(conditions.tonic, conditions.minor)
    return f"audioseq {__version__}: seed {seed}, piece {number}, style {style}, key {key}, {bpm:g} bpm"
