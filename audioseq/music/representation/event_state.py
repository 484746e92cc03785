"""The state of a piece, event by event: which event may come next, and the input of the model."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.keys import KeyTracker
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY

LOOKBACK_BARS = (1, 2, 4, 8)
"""How many bars ago the model sees events."""
RELATIVE_PITCHES = v.PITCHES + 12
"""Number of relative pitches: pitches transposed to C major or A minor, by 5 semitones down to 6 up."""
LOWEST_RELATIVE_PITCH = -6
"""The relative pitch with index 0."""
MAX_BARS = 2**31
"""Limit of the length of a piece, bars."""
MAX_NOTES_PER_BAR = 512
"""Notes after which a generated bar ends."""
MAX_DENSITY_DEFICIT = 4
"""Density classes: the largest correction of the requested density, a factor of two."""

COLUMNS = {
    "position": v.STEPS, "kind": 4, "track": v.TRACKS + 1, "pitch": RELATIVE_PITCHES + 1,
    "duration": v.DURATIONS + 1, "velocity": v.VELOCITIES + 1, "meter": len(v.METERS) + 1,
    "countdown": v.COUNTDOWNS, "interval": 50, "above_bass": 50, "degree": 25, "bar": 8,
    "beat": v.TICKS_PER_QUARTER + 1, "program": v.DRUMS + 2, "tracks": v.TRACKS + 1, "style": len(v.STYLES),
    "mode": 2, "shift": 12, "tempo": v.TEMPOS, "density": v.DENSITIES,
}  # fmt: skip
"""Input of the model: name and number of values of each column. They describe the last event (the last value
means none), the position in the piece, and the conditions."""
COLUMN_INDEX = {name: i for i, name in enumerate(COLUMNS)}
LOOKBACK_SIZES = (v.STEPS + 1, v.TRACKS + 1, RELATIVE_PITCHES + 1, v.DURATIONS + 1)
"""Number of values of step, track, pitch and duration of each lookback event; the last value means none."""
NO_LOOKBACK = tuple(size - 1 for size in LOOKBACK_SIZES)
LOOKBACK_PITCH_COLUMNS = tuple(len(COLUMNS) + i * len(LOOKBACK_SIZES) + 2 for i in range(len(LOOKBACK_BARS)))
"""Columns of the features with the pitches of the lookback events."""
FEATURES = len(COLUMNS) + len(LOOKBACK_BARS) * len(LOOKBACK_SIZES) + 1
"""The columns, the lookback events, and the bit mask of the pitch classes that sound."""
FIELD_SIZES = (v.STEPS, len(v.METERS), v.TRACKS, RELATIVE_PITCHES, v.DURATIONS, v.VELOCITIES)
"""Number of values of each field of an event; pitches are relative."""
KNOWN_FIELDS = (), (STEP,), (STEP,), (STEP, TRACK), (STEP, TRACK, PITCH), (STEP, TRACK, PITCH, DURATION)
"""The fields that the model conditions each field on."""
COLUMN_OFFSETS, LOOKBACK_OFFSETS = (
    tuple(accumulate(sizes, initial=0)) for sizes in (COLUMNS.values(), LOOKBACK_SIZES)
)
"""First row of each column in the table of embeddings, and its number of rows; of lookback events too."""
FIELD_OFFSETS = tuple(
    COLUMN_OFFSETS[COLUMN_INDEX[name]]
    for name in ("position", "meter", "track", "pitch", "duration", "velocity")
)
"""First row of each field: fields share their embeddings with a column of the input."""


@dataclass(frozen=True)
class Conditions:
    """The requested properties of a piece, as classes of `vocabulary`.

    Args:
        style: index into `STYLES`.
        tonic: 0 (C) to 11 (B).
        minor: whether the key is minor.
        tempo: class of the tempo.
        density: class of the notes per quarter.
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

    def is_valid(self) -> bool:
        """Whether all values are within their ranges; those of a damaged model file need not be."""
        limits = [(self.style, len(v.STYLES)), (self.tonic, 12), (self.tempo, v.TEMPOS)]
        limits += [(self.density, v.DENSITIES), (self.bars, MAX_BARS), (self.minor, 2)]
        limits += [(program, v.DRUMS + 1) for program in self.programs]
        in_range = all(isinstance(value, int) and 0 <= value < limit for value, limit in limits)
        return in_range and 1 <= len(self.programs) <= v.TRACKS

    @property
    def shift(self) -> int:
        """Semitones from relative pitches, in C major or A minor, up to sounding pitches: -6 to 5."""
        return (self.tonic - (9 if self.minor else 0) + 6) % 12 - 6


class EventState:
    """What is known of a piece after some events.

    The same state computes the input of the model and the set of valid next events, in training and in
    generation, so the two cannot differ.

    Args:
        conditions: requested properties of the piece.
        guided: whether the piece is being generated: the requested density is raised where the density so far
            is too low, and the key is tracked; see `guidance`.
    """

    def __init__(self, conditions: Conditions, guided: bool = False) -> None:
        self.conditions = conditions
        self.guided = guided
        self.remaining = conditions.bars
        self.ended = False
        self.shift = conditions.shift
        self.pitch_offset = LOWEST_RELATIVE_PITCH + self.shift
        """Sounding pitch minus the index of the relative pitch."""
        self.key_tracker = KeyTracker(conditions.tonic, conditions.minor)
        """Tracks the key of the piece."""
        self.density_target = float(conditions.density)
        """Requested density, in density classes; not rounded."""
        self.density_deficit = 0.0
        """Requested density minus the density so far, in density classes."""
        self.repeat_lag = 0
        """How many bars ago the bar is that this bar repeats; 0 if it repeats none."""
        self.ending_bias = 0.0
        """Penalty of pitches outside the cadence in the last bars, nats."""
        self.start = 0
        """Start of this bar, in ticks from the beginning of the piece."""
        self.length = 0
        """Length of this bar, in ticks; 0 before the first bar."""
        self.position = -1
        """Onset of the last note within this bar, in ticks; -1 if the bar is empty."""
        self.ends: dict[int, int] = {}
        """End of the last note of each track, in ticks from the beginning of the piece."""
        self._track = self._pitch = -1  # of the last note in this bar
        self._bar_notes = 0
        self._earlier_notes = 0  # in the bars before
        self._bars: list[list[tuple[int, int, int, int]]] = []  # position, track, -pitch, duration class
        self._cursors: dict[int, int] = {}  # of each lookback: how many notes of its bar have been passed
        self._last_pitch: dict[int, int] = {}  # of each track
        self._sounding: list[tuple[int, int]] = []  # heap of (end, pitch)
        self._features = [size - 1 for size in COLUMNS.values()]
        minor = int(conditions.minor)
        for name, value in {
            "kind": 0, "countdown": v.countdown_class(conditions.bars), "bar": 7, "mode": minor,
            "shift": conditions.shift + 6, "style": conditions.style, "tempo": conditions.tempo,
            "density": conditions.density, "tracks": len(conditions.programs),
        }.items():  # fmt: skip
            self._features[COLUMN_INDEX[name]] = value

    def push(self, event: Sequence[int]) -> None:
        """Append an event: step, meter, track, pitch, duration, velocity."""
        step, features = event[STEP], self._features
        if step == END:
            self.ended = True
        elif step == BAR:
            self.start += self.length
            self._earlier_notes += self._bar_notes
            if self.guided and self.start > 0:
                self._correct_density()
            self.length = v.METER_TICKS[event[METER]]
            self.position = self._track = self._pitch = -1
            self._bar_notes = 0
            self.remaining -= 1
            # Slices in the order of COLUMNS; a bar line has no track, pitch, duration or velocity.
            features[0:6] = BAR, 1, v.TRACKS, RELATIVE_PITCHES, v.DURATIONS, v.VELOCITIES
            features[6:11] = event[METER], v.countdown_class(max(self.remaining, 0)), 49, 49, 24
            features[11:14] = len(self._bars) % 8, v.TICKS_PER_QUARTER, v.DRUMS + 1
            self._bars.append([])
            self._cursors.clear()
        else:
            self._push_note(step, event[TRACK], event[PITCH], event[DURATION], event[VELOCITY])

    def _push_note(self, step: int, track: int, pitch: int, duration: int, velocity: int) -> None:
        features, conditions = self._features, self.conditions
        if step != v.SAME:
            self.position = step
            now = self.start + step
            while self._sounding and self._sounding[0][0] <= now:
                heapq.heappop(self._sounding)
        self._track, self._pitch = track, pitch
        self._bar_notes += 1
        self._bars[-1].append((self.position, track, -pitch, duration))
        end = self.start + self.position + v.DURATION_TICKS[duration]
        self.ends[track] = max(end, self.ends.get(track, 0))
        heapq.heappush(self._sounding, (end, pitch))
        if self.guided and conditions.programs[track] != v.DRUMS:
            self.key_tracker.push(pitch)
        previous = self._last_pitch.get(track)
        self._last_pitch[track] = pitch
        bass = min(other for _, other in self._sounding)
        features[0:2] = self.position, 2 + (step == v.SAME)
        features[2:6] = track, pitch - self.pitch_offset, duration, velocity
        features[8] = 49 if previous is None else max(-24, min(24, pitch - previous)) + 24
        features[9] = min(48, pitch - bass)
        features[10] = (pitch - self.shift) % 12 + 12 * conditions.minor
        features[12] = self.position % v.TICKS_PER_QUARTER
        features[13] = conditions.programs[track]

    def _correct_density(self) -> None:
        """Raise the requested density where the density so far is too low, and lower it where it is too high.

        The input of the model has the requested density, but not the density so far.
        """
        notes_per_quarter = max(self._earlier_notes, 1) * v.TICKS_PER_QUARTER / self.start
        deficit = self.density_target - v.density_scale(notes_per_quarter)
        self.density_deficit = deficit = min(max(deficit, -MAX_DENSITY_DEFICIT), MAX_DENSITY_DEFICIT)
        corrected = round(self.density_target + deficit)
        self._features[COLUMN_INDEX["density"]] = min(max(corrected, 0), v.DENSITIES - 1)

    @property
    def bar(self) -> int:
        """Index of this bar, from 0."""
        return len(self._bars) - 1

    def sounding(self, tick: int) -> list[int]:
        """Return the pitches of the notes so far that sound on at a tick."""
        return [pitch for end, pitch in self._sounding if end > tick]

    def onset(self, step: int) -> int:
        """Return the onset of a note with this step, in ticks from the beginning of the piece."""
        return self.start + (self.position if step == v.SAME else step)

    def set_target_length(self, ticks: float) -> None:
        """Recompute the number of remaining bars from a length of the piece, as if all were like this bar."""
        self.remaining = max(0, round((ticks - self.start) / self.length) - 1)
        self._features[COLUMN_INDEX["countdown"]] = v.countdown_class(self.remaining)

    def features(self) -> list[int]:
        """Return the input of the model before the next event `[FEATURES]`; see `COLUMNS`."""
        lookbacks = chain.from_iterable(map(self.lookback, LOOKBACK_BARS))
        pitch_classes = {(pitch - self.shift) % 12 for _, pitch in self._sounding}
        return [*self._features, *lookbacks, sum(1 << each for each in pitch_classes)]

    def lookback(self, lag: int) -> tuple[int, ...]:
        """Return step, track, relative pitch and duration of what followed this position some bars ago.

        Each lag keeps a cursor into its bar. Notes are pushed in order, so a cursor only moves forward within
        a bar, and all lookbacks of a bar together pass each note once.
        """
        if lag >= len(self._bars):
            return NO_LOOKBACK
        bar, cursor = self._bars[-1 - lag], self._cursors.get(lag, 0)
        here = (self.position, self._track, -self._pitch)
        while cursor < len(bar) and bar[cursor][:3] <= here:
            cursor += 1
        self._cursors[lag] = cursor
        if cursor == len(bar):
            return BAR, *NO_LOOKBACK[1:]
        position, track, negative_pitch, duration = bar[cursor]
        step = v.SAME if position == self.position else position
        return step, track, -negative_pitch - self.pitch_offset, duration

    def repeats(self, event: Sequence[int]) -> bool:
        """Return whether a note is the one that followed this position in one of the lookback bars."""
        note = event[STEP], event[TRACK], event[PITCH] - self.pitch_offset
        return event[PITCH] >= 0 and any(self.lookback(lag)[:3] == note for lag in LOOKBACK_BARS)

    def to_relative(self, sounding: np.ndarray) -> np.ndarray:
        """Return a mask of relative pitches `[RELATIVE_PITCHES]` for one of sounding pitches `[PITCHES]`."""
        relative = np.zeros(RELATIVE_PITCHES, bool)
        relative[-self.pitch_offset : v.PITCHES - self.pitch_offset] = sounding
        return relative

    def allowed_steps(self) -> np.ndarray:
        """Return which steps are valid next `[STEPS]` bool; at least one, unless the piece has ended."""
        allowed = np.zeros(v.STEPS, bool)
        in_bar = self.length > 0
        if in_bar and self._bar_notes < MAX_NOTES_PER_BAR:
            allowed[self.position + 1 : self.length] = True
            allowed[v.SAME] = self.position >= 0 and self.allowed_tracks(v.SAME).any()
        allowed[BAR] = self.remaining > 0
        allowed[END] = in_bar and self.remaining <= 0
        return allowed

    def allowed_tracks(self, step: int) -> np.ndarray:
        """Return which tracks are valid for a note with this step `[TRACKS]` bool.

        Notes with the same onset are sorted by track, then by descending pitch, so each chord has exactly one
        encoding. A track whose last note has pitch 0 cannot have another.
        """
        allowed = np.zeros(v.TRACKS, bool)
        first = 0 if step != v.SAME else self._track + (self._pitch == 0)
        allowed[first : len(self.conditions.programs)] = True
        return allowed

    def allowed_pitches(self, step: int, track: int) -> np.ndarray:
        """Return which pitches are valid for the note `[PITCHES]` bool: below the last note of the chord."""
        allowed = np.ones(v.PITCHES, bool)
        if step == v.SAME and track == self._track:
            allowed[self._pitch :] = False
        return allowed

    def allows(self, event: Sequence[int]) -> bool:
        """Return whether an event is valid next."""
        step = event[STEP]
        if self.ended or not self.allowed_steps()[step]:
            return False
        if step in (BAR, END):
            return step == END or 0 <= event[METER] < len(v.METERS)
        tracks, pitches = self.allowed_tracks(step), self.allowed_pitches(step, event[TRACK])
        return bool(tracks[event[TRACK]] and pitches[event[PITCH]])
