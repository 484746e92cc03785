"""Notes in seconds and in ticks, and the tempo map that converts between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

DRUM_CHANNEL = 9
"""MIDI channel of percussion, counted from 0."""


class Controller(IntEnum):
    """Numbers of the MIDI controllers that affect notes."""

    SUSTAIN = 64
    """The sustain pedal."""
    SOUND_OFF = 120
    """Ends all notes of a channel, whether the pedal is down or not."""
    RESET = 121
    """Lifts the pedal."""
    NOTES_OFF = 123
    """This and all higher ones release all keys of a channel: all notes off, and the changes of mode."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note; times in seconds."""

    pitch: int
    """0 to 127; 60 is middle C."""
    velocity: int
    """1 to 127."""
    onset: float
    """Seconds."""
    duration: float
    """Seconds, above 0."""
    program: int = 0
    """General MIDI program, 0 to 127; 0 is a piano."""
    drum: bool = False
    """Whether the note is percussion."""
    track: int = 0
    """Index of the track, counted from 0."""

    @property
    def end(self) -> float:
        """End of the note, seconds."""
        return self.onset + self.duration


class TempoMap(NamedTuple):
    """Piecewise linear map between seconds and positions; each segment has a constant tempo."""

    starts: np.ndarray
    """Start of each segment, seconds."""
    positions: np.ndarray
    """Start of each segment, quarter notes or ticks."""
    rates: np.ndarray
    """Tempo of each segment, quarter notes or ticks per second."""

    def position(self, seconds: Any) -> Any:
        """Return the positions of times in seconds; a number or an array."""
        index = np.maximum(np.searchsorted(self.starts, seconds, side="right") - 1, 0)
        position = self.positions[index] + (np.asarray(seconds) - self.starts[index]) * self.rates[index]
        return position if np.ndim(position) else float(position)

    def seconds(self, position: Any) -> Any:
        """Return the times in seconds of positions; a number or an array."""
        index = np.maximum(np.searchsorted(self.positions, position, side="right") - 1, 0)
        seconds = self.starts[index] + (np.asarray(position) - self.positions[index]) / self.rates[index]
        return seconds if np.ndim(seconds) else float(seconds)


def tick_tempo_map(bpm: Mapping[int, float], ticks_per_beat: int) -> TempoMap:
    """Return the tempo map of a file in ticks, given the quarter notes per minute from each tick on."""
    positions, rates = np.array(sorted(bpm.items()), dtype=np.float64).T
    rates *= ticks_per_beat / 60
    return TempoMap(np.cumsum([0.0, *np.diff(positions) / rates[:-1]]), positions, rates)


class TickNote(NamedTuple):
    """Note with times in ticks."""

    pitch: int
    onset: int
    end: int
    velocity: int


def resolve_overlaps(notes: Iterable[TickNote]) -> list[TickNote]:
    """Return the notes of one instrument without overlaps of equal pitch; each lasts at least one tick.

    A note ends at the onset of the next note of its pitch. Of notes in unison the longest is kept, with the
    largest velocity.
    """
    kept: list[TickNote] = []
    for note in sorted(notes):
        note = note._replace(end=max(note.end, note.onset + 1))
        if kept and kept[-1].pitch == note.pitch:
            previous = kept[-1]
            if previous.onset == note.onset:  # unison: sorted by end, so this note is the longer one
                kept.pop()
                note = note._replace(velocity=max(previous.velocity, note.velocity))
            elif previous.end > note.onset:
                kept[-1] = previous._replace(end=note.onset)
        kept.append(note)
    return kept
