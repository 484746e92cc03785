"""Notes in seconds and in ticks, and the clock that tells one from the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

DRUMS = 9
"""The channel of percussion, counted from 0."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note; times in seconds."""

    pitch: int
    """0 to 127; 60 is middle C."""
    velocity: int
    """1 to 127."""
    onset: float
    duration: float
    """Above 0."""
    program: int = 0
    """Instrument in General MIDI, 0 to 127; 0 is a piano."""
    drum: bool = False
    track: int = 0
    """The voice, hand or player, counted from 0."""

    @property
    def end(self) -> float:
        """When it ends, seconds."""
        return self.onset + self.duration


class Clock(NamedTuple):
    """Stretches of one tempo: where they start, and how fast they are."""

    starts: np.ndarray
    """Seconds."""
    positions: np.ndarray
    """Quarter notes, or ticks."""
    rates: np.ndarray
    """The same a second."""

    def position(self, seconds: Any) -> Any:
        index = np.maximum(np.searchsorted(self.starts, seconds, side="right") - 1, 0)
        position = self.positions[index] + (np.asarray(seconds) - self.starts[index]) * self.rates[index]
        return position if np.ndim(position) else float(position)

    def seconds(self, position: Any) -> Any:
        index = np.maximum(np.searchsorted(self.positions, position, side="right") - 1, 0)
        seconds = self.starts[index] + (np.asarray(position) - self.positions[index]) / self.rates[index]
        return seconds if np.ndim(seconds) else float(seconds)


def tick_clock(bpm: Mapping[int, float], ticks_per_beat: int) -> Clock:
    """Return the clock of a file, given quarter notes a minute from each tick on."""
    positions, rates = np.array(sorted(bpm.items()), dtype=np.float64).T
    rates *= ticks_per_beat / 60
    return Clock(np.cumsum([0.0, *np.diff(positions) / rates[:-1]]), positions, rates)


class Sound(NamedTuple):
    """A note in ticks."""

    pitch: int
    onset: int
    end: int
    velocity: int


def untangle(sounds: Iterable[Sound]) -> list[Sound]:
    """Make the notes of one instrument playable: none empty, none sounding when its pitch is struck again."""
    kept: list[Sound] = []
    for sound in sorted(sounds):
        sound = sound._replace(end=max(sound.end, sound.onset + 1))
        if kept and kept[-1].pitch == sound.pitch:
            before = kept[-1]
            if before.onset == sound.onset:  # in unison: sorted by their ends, so this one is the longer
                kept.pop()
                sound = sound._replace(velocity=max(before.velocity, sound.velocity))
            elif before.end > sound.onset:
                kept[-1] = before._replace(end=sound.onset)
        kept.append(sound)
    return kept
