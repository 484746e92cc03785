"""Which event may follow which, and what the model is told before each: one walk does both."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.keys import KeyTracker
from audioseq.music.representation.vocabulary import (
    BAR,
    DURATION,
    END,
    METER,
    PITCH,
    SAME,
    STEP,
    TRACK,
    VELOCITY,
)

LAGS = (1, 2, 4, 8)
"""Bars ago at which the model looks back."""
RELATIVE_PITCHES = v.PITCHES + 12
"""Pitches as they are written in C major or A minor: 5 semitones lower to 6 higher than they sound."""
LOWEST = -6
MOST_NOTES = 512
"""Notes in a bar after which a sampled bar must end."""
MOST_AMISS = 4
"""Classes of density that a piece is led by at once, at most: a doubling."""

COLUMNS = {
    "position": v.STEPS,
    "kind": 4,
    "track": v.TRACKS + 1,
    "pitch": RELATIVE_PITCHES + 1,
    "duration": v.DURATIONS + 1,
    "velocity": v.VELOCITIES + 1,
    "meter": len(v.METERS) + 1,
    "countdown": v.COUNTDOWNS,
    "interval": 50,
    "above_bass": 50,
    "degree": 25,
    "bar": 8,
    "beat": v.TICKS + 1,
    "program": v.DRUMS + 2,
    "tracks": v.TRACKS + 1,
    "style": len(v.STYLES),
    "mode": 2,
    "shift": 12,
    "tempo": v.TEMPOS,
    "density": v.DENSITIES,
}
"""What the model is told of the last event, the place in the piece, and what was asked: so many values."""
INDEX = {name: i for i, name in enumerate(COLUMNS)}
LOOKBACK = (v.STEPS + 1, v.TRACKS + 1, RELATIVE_PITCHES + 1, v.DURATIONS + 1)
"""The same of each event that the model sees when it looks back: step, track, pitch, duration."""
NOTHING = tuple(size - 1 for size in LOOKBACK)
FEATURES = len(COLUMNS) + len(LAGS) * len(LOOKBACK) + 1
"""Columns, looks back, and the pitch classes that sound, as bits."""


@dataclass(frozen=True)
class Conditions:
    """What is asked of a piece; each is one class, for the words see `vocabulary`.

    Args:
        style: index into `STYLES`.
        tonic: 0 (C) to 11 (B).
        minor: whether the key is minor.
        tempo: class of the tempo.
        density: class of the notes in a quarter.
        bars: length of the piece.
        programs: one for each track, 0 to 127, or `DRUMS`.
    """

    style: int
    tonic: int
    minor: bool
    tempo: int
    density: int
    bars: int
    programs: tuple[int, ...]

    @property
    def shift(self) -> int:
        """Semitones from how the piece is written, in C major or A minor, up to how it sounds: -6 to 5."""
        return (self.tonic - (9 if self.minor else 0) + 6) % 12 - 6


class EventState:
    """A way through a piece, event by event.

    Args:
        conditions: what is asked of the piece.
        steered: the piece is being composed: a higher density is asked for where it was too low so far, and
            the key is listened for; see `lead`.
    """

    key_tracker: KeyTracker
    """Which key the piece is in."""
    missing: float
    """Classes of density by which there were too few notes so far."""
    back: int
    """How many bars ago that was to which this bar comes back; 0 if to none."""
    start: int
    """Of this bar, in ticks from the beginning of the piece."""
    length: int
    """Of this bar, in ticks; 0 before the first."""
    position: int
    """Of the last note in this bar, in ticks; -1 if there is none."""
    ends: dict[int, int]
    """Of each track, when its last note ends, in ticks from the beginning."""

    def __init__(self, conditions: Conditions, steered: bool = False) -> None:
        self.conditions = conditions
        self.steered = steered
        self.key_tracker = KeyTracker(conditions.tonic, conditions.minor)
        self.missing = 0.0
        self.remaining = conditions.bars
        self.ended = False
        self.shift = conditions.shift
        self.length = 0
        self.position = -1
        self._track = self._pitch = -1  # of the last note in this bar
        self._notes = 0  # in this bar
        self._played = 0  # in the bars before
        self.start = 0
        self._bars: list[list[tuple[int, int, int, int]]] = []  # position, track, -pitch, duration class
        self._pointers: dict[int, int] = {}  # how far the bars were read at which it looks back
        self.back = 0
        self.ends = {}
        self._before: dict[int, int] = {}  # the last pitch of each track
        self._sounding: list[tuple[int, int]] = []  # end, pitch
        self._features = [size - 1 for size in COLUMNS.values()]
        minor = int(conditions.minor)
        for name, value in {
            "kind": 0, "countdown": v.countdown_class(conditions.bars), "bar": 7, "mode": minor,
            "shift": conditions.shift + 6, "style": conditions.style, "tempo": conditions.tempo,
            "density": conditions.density, "tracks": len(conditions.programs),
        }.items():  # fmt: skip
            self._features[INDEX[name]] = value

    def push(self, event: Sequence[int]) -> None:
        """Take the next event: step, meter, track, pitch, duration, velocity."""
        step, features = event[STEP], self._features
        if step == END:
            self.ended = True
        elif step == BAR:
            self.start += self.length
            self._played += self._notes
            if self.steered and self.start > 0:
                self._steer()
            self.length = v.METER_TICKS[event[METER]]
            self.position = self._track = self._pitch = -1
            self._notes = 0
            self.remaining -= 1
            features[0:6] = BAR, 1, v.TRACKS, RELATIVE_PITCHES, v.DURATIONS, v.VELOCITIES
            features[6:11] = event[METER], v.countdown_class(max(self.remaining, 0)), 49, 49, 24
            features[11:14] = len(self._bars) % 8, v.TICKS, v.DRUMS + 1
            self._bars.append([])
            self._pointers.clear()
        else:
            self._note(step, event[TRACK], event[PITCH], event[DURATION], event[VELOCITY])

    def _note(self, step: int, track: int, pitch: int, duration: int, velocity: int) -> None:
        features, conditions = self._features, self.conditions
        if step != SAME:
            self.position = step
            now = self.start + step
            while self._sounding and self._sounding[0][0] <= now:
                heapq.heappop(self._sounding)
        self._track, self._pitch = track, pitch
        self._notes += 1
        self._bars[-1].append((self.position, track, -pitch, duration))
        end = self.start + self.position + v.DURATION_TICKS[duration]
        self.ends[track] = max(end, self.ends.get(track, 0))
        heapq.heappush(self._sounding, (end, pitch))
        written = pitch - self.shift
        if self.steered and conditions.programs[track] != v.DRUMS:
            self.key_tracker.push(pitch)
        before = self._before.get(track)
        self._before[track] = pitch
        bass = min(other for _, other in self._sounding)
        features[0:6] = self.position, 2 + (step == SAME), track, written - LOWEST, duration, velocity
        features[8] = 49 if before is None else max(-24, min(24, pitch - before)) + 24
        features[9] = min(48, pitch - bass)
        features[10] = written % 12 + 12 * conditions.minor
        features[12] = self.position % v.TICKS
        features[13] = conditions.programs[track]

    def _steer(self) -> None:
        """Ask for more notes where there were too few, and for fewer where there were too many."""
        asked = self.conditions.density
        missing = asked - 4 * math.log2(max(self._played, 1) * v.TICKS / self.start)
        missing = min(max(missing, -MOST_AMISS), MOST_AMISS)
        self._features[INDEX["density"]] = min(max(asked + round(missing), 0), v.DENSITIES - 1)
        self.missing = missing

    @property
    def bar(self) -> int:
        """Which bar this is, from 0."""
        return len(self._bars) - 1

    def onset(self, step: int) -> int:
        """Return when a note at a step begins, in ticks from the beginning of the piece."""
        return self.start + (self.position if step == SAME else step)

    def aim(self, ticks: float) -> None:
        """Count the bars that remain after this one anew: as many like it as make the piece so long."""
        self.remaining = max(0, round((ticks - self.start) / self.length) - 1)
        self._features[INDEX["countdown"]] = v.countdown_class(self.remaining)

    def features(self) -> list[int]:
        """Return what the model is told before the next event `[FEATURES]`; see `COLUMNS`."""
        result = self._features.copy()
        for lag in LAGS:
            result += self.look(lag)
        bits = 0
        for _, pitch in self._sounding:
            bits |= 1 << (pitch - self.shift) % 12
        result.append(bits)
        return result

    def look(self, lag: int) -> tuple[int, ...]:
        """Return what came next, so many bars ago: step, track, pitch as it is written, duration."""
        if lag >= len(self._bars):
            return NOTHING
        bar, at = self._bars[-1 - lag], self._pointers.get(lag, 0)
        here = (self.position, self._track, -self._pitch)
        while at < len(bar) and bar[at][:3] <= here:
            at += 1
        self._pointers[lag] = at
        if at == len(bar):
            return BAR, *NOTHING[1:]
        position, track, down, duration = bar[at]
        step = SAME if position == self.position else position
        return step, track, -down - self.shift - LOWEST, duration

    def steps(self) -> np.ndarray:
        """Return which steps may come next `[STEPS]` bool; at least one, unless the piece has ended."""
        allowed = np.zeros(v.STEPS, bool)
        begun = self.length > 0
        full = self._notes >= MOST_NOTES
        if begun and not full:
            allowed[self.position + 1 : self.length] = True
            allowed[SAME] = self.position >= 0 and self.tracks(SAME).any()
        allowed[BAR] = self.remaining > 0
        allowed[END] = begun and self.remaining <= 0
        return allowed

    def tracks(self, step: int) -> np.ndarray:
        """Return which tracks the note at a step may be in `[TRACKS]` bool: together, from the first down."""
        allowed = np.zeros(v.TRACKS, bool)
        first = 0 if step != SAME else self._track + (self._pitch == 0)
        allowed[first : len(self.conditions.programs)] = True
        return allowed

    def pitches(self, step: int, track: int) -> np.ndarray:
        """Return which pitches the note may have `[PITCHES]` bool: chords are told from the top down."""
        allowed = np.ones(v.PITCHES, bool)
        if step == SAME and track == self._track:
            allowed[self._pitch :] = False
        return allowed

    def allows(self, event: Sequence[int]) -> bool:
        """Return whether an event may come next."""
        step = event[STEP]
        if self.ended or not self.steps()[step]:
            return False
        if step in (BAR, END):
            return step == END or 0 <= event[METER] < len(v.METERS)
        return bool(self.tracks(step)[event[TRACK]] and self.pitches(step, event[TRACK])[event[PITCH]])
