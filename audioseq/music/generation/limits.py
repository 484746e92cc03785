"""Which values players can play next: ranges, hands, single voices, and the rules of part-writing."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy, deepcopy

import numpy as np

from audioseq.music.generation.draft import Draft
from audioseq.music.generation.given import GivenNotes
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import EventState
from audioseq.music.representation.part_writing import FIFTH, OCTAVE, VOICES, is_parallel
from audioseq.music.representation.playing import addable_pitches
from audioseq.music.representation.vocabulary import BAR, END, METER, PITCH, SAME, STEP, TRACK, VELOCITY

PART_BIAS_NATS = 1.5
"""Bonus of a track for each factor e by which it has too few notes."""
_every_pitch = np.arange(v.PITCHES)


class Limits:
    """The state of a draft, with the values that its next event may have.

    `EventState` tells which events are valid; the limits exclude those that nobody can play or that break the
    rules of the style. At least one value always remains: a rule that excludes all pitches is dropped.

    Args:
        draft: its conditions, parts and wishes.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.state = EventState(draft.conditions, guided=True)
        if draft.density is not None:
            self.state.density_target = v.density_scale(draft.density)
        self.state.key_tracker.strength *= draft.key_strength
        self.given = None if draft.given is None else GivenNotes(draft.given)
        """Where the draft is in the notes of the user that it will have."""
        self.has_voices = v.STYLES[draft.conditions.style] == "chorale" and len(draft.parts) == len(VOICES)
        self.generated_bars = 0
        """Number of bar lines after the primer."""
        self.silent = np.ones(v.TRACKS, bool)
        """Which tracks have no new notes `[TRACKS]`."""
        self.silent[: len(draft.parts)] = [part.silent for part in draft.parts]
        if not self.silent[: len(draft.parts)].any():
            self.silent[:] = False
        self._masks = [(_every_pitch >= part.low) & (_every_pitch <= part.high) for part in draft.parts]
        self._grid = np.ones(v.STEPS, bool)
        self._grid[: v.MAX_BAR_TICKS] = np.arange(v.MAX_BAR_TICKS) % draft.grid == 0
        self._new = np.zeros(v.TRACKS, int)  # number of notes of each track after the primer
        self._chord: list[int] = []  # pitches of the pianist at this onset
        self._addable: np.ndarray | None = None  # pitches that the pianist can add
        self._pitch: dict[int, int] = {}  # the last pitch of each track
        self._before: dict[int, int] = {}  # the pitches that sounded before this onset
        self._placed: dict[int, int] = {}  # the last pitch of each track at this onset
        self._counts: dict[int, int] = {}  # number of notes of each track at this onset

    def copy(self) -> Limits:
        """Return a copy that changes on its own."""
        other = copy(self)
        other.state = deepcopy(self.state)
        other.given = copy(self.given)
        other._pitch, other._placed, other._chord = (
            self._pitch.copy(),
            self._placed.copy(),
            self._chord.copy(),
        )
        return other

    def push(self, event: Sequence[int]) -> None:
        """Append an event."""
        step, track, pitch = event[STEP], event[TRACK], event[PITCH]
        if step in (BAR, END):
            self._chord = []
        else:
            if step != SAME:
                self._before = self._sounding(self.state.onset(step))
                self._placed, self._counts, self._chord = {}, {}, []
            self._pitch[track] = self._placed[track] = pitch
            self._counts[track] = self._counts.get(track, 0) + 1
            self._new[track] += self.generated_bars > 0
            if self.draft.parts[track].hands:
                self._chord.append(pitch)
            if self.given is not None:
                self.given.push(self.state.onset(step), track, pitch)
            self._addable = None
        self.state.push(event)

    def allowed_steps(self) -> np.ndarray:
        """Return which steps are allowed next `[STEPS]` bool."""
        state = self.state
        allowed = state.allowed_steps() & self._grid
        if state.start + state.length > self.draft.first_tick > state.start:
            allowed[: self.draft.first_tick - state.start] = False
        elif self.draft.first_tick > state.start:
            allowed[: v.MAX_BAR_TICKS] = False
        if self.draft.first_tick > state.start + state.position:
            allowed[SAME] = False
        if self.draft.pickup and state.bar == 0 and not self._placed:
            allowed[:] = False
            allowed[self.draft.first_tick] = True
        allowed[SAME] = allowed[SAME] and self.allowed_tracks(SAME).any()
        return allowed if self.given is None else self.given.restrict_steps(state, allowed)

    def allowed_tracks(self, step: int) -> np.ndarray:
        """Return which tracks are allowed for a note with this step `[TRACKS]` bool."""
        allowed = self.state.allowed_tracks(step)
        if self.draft.pickup and self.state.bar == 0 and not self.has_voices:
            allowed[1:] = False
        for track, part in enumerate(self.draft.parts):
            if part.silent:
                allowed[track] = False
            elif step == SAME and allowed[track]:
                full = self._counts.get(track, 0) >= part.most
                allowed[track] = not full and bool(self._playable(step, track).any())
        return allowed if self.given is None else self.given.restrict_tracks(self.state, step, allowed)

    def allowed_pitches(self, step: int, track: int) -> np.ndarray:
        """Return which pitches are allowed for the note `[PITCHES]` bool."""
        allowed = self._playable(step, track)
        if self.has_voices:
            for rule in self._crossings(step, track), self._parallels(step, track):
                if (narrowed := allowed & rule).any():
                    allowed = narrowed
        return allowed

    def allowed_meters(self) -> np.ndarray:
        """Return which meters are allowed for the next bar `[METERS]` bool."""
        allowed = np.ones(len(v.METERS), bool)
        if (meter := self.next_meter) is not None:
            allowed[:] = False
            allowed[meter] = True
        return allowed

    @property
    def next_meter(self) -> int | None:
        """The meter of the next bar; None if the model chooses it."""
        meters = self.draft.meters
        return meters[self.generated_bars % len(meters)] if meters else None

    def required(self) -> list[int] | None:
        """Return the next event if it is given; its pitch is relative."""
        return None if self.given is None else self.given.required(self.state, self.next_meter or 0)

    def allowed_levels(self) -> np.ndarray:
        """Return which velocity levels are allowed `[VELOCITIES]` bool."""
        low, high = self.draft.levels
        allowed = np.zeros(v.VELOCITIES, bool)
        allowed[low : high + 1] = True
        return allowed

    def part_bias(self) -> np.ndarray:
        """Return a logit bias towards the tracks with fewer new notes than their share `[TRACKS]`."""
        bias = np.zeros(v.TRACKS)
        if shares := self.draft.shares:
            expected, made = np.array(shares) * self._new.sum(), self._new[: len(shares)]
            bias[: len(shares)] = PART_BIAS_NATS * np.log((expected + 1) / (made + 1))
        return bias

    def _playable(self, step: int, track: int) -> np.ndarray:
        allowed = self.state.allowed_pitches(step, track) & self._masks[track]
        if step == SAME and self._chord and self.draft.parts[track].hands:
            if self._addable is None:
                self._addable = addable_pitches(self._chord)
            allowed &= self._addable
        return allowed

    def _sounding(self, onset: int) -> dict[int, int]:
        """Return the pitches of the voices that sound until an onset or longer, by track."""
        ends = self.state.ends
        return {track: pitch for track, pitch in self._pitch.items() if ends[track] >= onset}

    def _crossings(self, step: int, track: int) -> np.ndarray:
        """Return the pitches at which a voice is not above the next higher voice, or below the next lower."""
        onset = self.state.onset(step)
        allowed = np.ones(v.PITCHES, bool)
        for other, pitch in self._pitch.items():
            placed = step == SAME and other in self._placed
            if other != track and (placed or self.state.ends[other] > onset):
                allowed &= _every_pitch <= pitch if other < track else _every_pitch >= pitch
        return allowed

    def _parallels(self, step: int, track: int) -> np.ndarray:
        """Return the pitches without parallel fifths and octaves with the voices that have moved already."""
        allowed = np.ones(v.PITCHES, bool)
        if step != SAME or track not in self._before:
            return allowed
        for other, pitch in self._placed.items():
            if other == track or other not in self._before:
                continue
            own, theirs = (self._before[track], _every_pitch), (self._before[other], np.array(pitch))
            (upper_before, upper), (lower_before, lower) = (theirs, own) if other < track else (own, theirs)
            pair = np.array(upper_before), np.array(lower_before), upper, lower
            allowed &= ~(is_parallel(FIFTH, *pair) | is_parallel(OCTAVE, *pair))
        return allowed


def allowed_values(limits: Limits, field: int, event: Sequence[int]) -> np.ndarray:
    """Return which values of a field are allowed `[V]` bool; pitches are relative.

    Args:
        limits: of the piece so far.
        field: column of an event.
        event: the fields sampled so far.
    """
    if field == STEP:
        return limits.allowed_steps()
    if field == METER:
        return limits.allowed_meters()
    if field == TRACK:
        return limits.allowed_tracks(event[STEP])
    if field == PITCH:
        return limits.state.to_relative(limits.allowed_pitches(event[STEP], event[TRACK]))
    if field == VELOCITY:
        return limits.allowed_levels()
    return _ALL_DURATIONS


_ALL_DURATIONS = np.ones(v.DURATIONS, bool)
