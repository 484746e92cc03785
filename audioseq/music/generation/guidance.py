"""Guidance: logit biases that keep a piece close to its conditions and to its own earlier bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import NO_LOOKBACK, RELATIVE_PITCHES, EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, PITCH, SAME, STEP, TRACK, VELOCITY


def _by_style(**values: float) -> tuple[float, ...]:
    """Return the values in the order of `vocabulary.STYLES`; the first style's for unknown styles."""
    return tuple(values.get(style, values["pop"]) for style in v.STYLES)


DENSITY_BIAS_NATS = 0.6
"""Penalty of a step for each quarter until it, for each class of `density_deficit`."""
REPETITION_BIAS_NATS = 4.0
"""Bonus of the values of the corresponding event in the bar that is repeated."""
REPETITION_FIELDS = (STEP, TRACK, PITCH, DURATION)
"""The fields with this bonus, in the order of `EventState.lookback`."""
VOICE_STYLES = (v.STYLES.index("chorale"),)
"""Styles in which each track is a voice that always sounds exactly one note."""
VOICE_PENALTY_NATS = 8.0
"""Penalty of overlaps and of rests in a voice."""
PITCH_SCALES = _by_style(pop=1.0, lied=1.05, quartet=1.0, chorale=1.4)
"""Inverse temperature of the pitches, by style."""
STEP_SCALES = _by_style(pop=1.3, lied=1.5, quartet=1.5, chorale=1.0)
"""Inverse temperature of the steps, by style."""
DURATION_SCALES = _by_style(pop=1.0, lied=1.0, quartet=0.92, chorale=0.85)
"""Inverse temperature of the durations, by style."""
VELOCITY_SCALES = _by_style(pop=1.0, lied=1.0, quartet=0.95, chorale=1.0)
"""Inverse temperature of the velocities, by style."""
LENGTH_BIAS_NATS = _by_style(pop=0.02, lied=0.08, quartet=0.0, chorale=0.0)
"""Bonus of a duration for each doubling, by style: otherwise notes are shorter than in real pieces."""
CHORD_BIAS_NATS = 0.2
"""Penalty of a further note of a chord for each class by which the density is too high."""
SCALES = {STEP: STEP_SCALES, PITCH: PITCH_SCALES, DURATION: DURATION_SCALES, VELOCITY: VELOCITY_SCALES}
MELODY_STYLES = (v.STYLES.index("pop"), v.STYLES.index("lied"))
"""Styles in which the first track is the melody."""
INTRODUCTION_BARS = 4
"""Bars before which the entry of the melody is left to the model."""
ENTRY_BIAS_NATS = 1.5
"""Bonus of the melody for each further bar before it enters."""
_DOUBLINGS = np.log2(np.array(v.DURATION_TICKS))
DOMINANT_SEVENTH = (7, 11, 2, 5)
"""Semitones above the tonic, the root first."""


def apply_guidance(state: EventState, field: int, event: Sequence[int], scores: np.ndarray) -> np.ndarray:
    """Return the scores of the values of a field with all biases; unchanged unless the state is guided.

    Args:
        state: of the piece so far.
        field: column of an event.
        event: the fields sampled so far, with its relative pitch.
        scores: of the model `[V]`.
    """
    if not state.guided:
        return scores
    style = state.conditions.style
    if field in SCALES:
        scores = scores * SCALES[field][style]
    if field == DURATION and LENGTH_BIAS_NATS[style]:
        scores = scores + LENGTH_BIAS_NATS[style] * _DOUBLINGS
    if style in VOICE_STYLES:
        scores = scores + _voice_bias(state, field, event)
    if field == STEP and state.length:
        bias_per_quarter = DENSITY_BIAS_NATS * state.density_deficit
        scores = scores - bias_per_quarter * _ticks_ahead(state) / v.TICKS_PER_QUARTER
        scores[SAME] -= CHORD_BIAS_NATS * max(-state.density_deficit, 0.0)
    if field == PITCH and state.conditions.programs[event[TRACK]] != v.DRUMS:
        sounding = np.arange(RELATIVE_PITCHES) + state.pitch_offset
        scores = scores + state.key_tracker.logit_bias()[sounding % 12]
    if field == PITCH and state.ending_bias and state.remaining <= 1:
        scores = scores - state.ending_bias * _outside_cadence(state, event)
    if field == TRACK and has_melody(state) and 0 not in state.ends:
        scores = scores + _entry_bias(state)
    if state.repeat_lag and field in REPETITION_FIELDS:
        scores = scores + _repetition_bias(state, field, event)
    return scores


def _ticks_ahead(state: EventState) -> np.ndarray:
    """Return how far each step is from the last onset, in ticks `[STEPS]`."""
    position = max(state.position, 0)
    ahead = np.arange(v.STEPS) - position
    ahead[SAME], ahead[BAR], ahead[END] = 0, state.length - position, state.length - position
    return ahead


def has_melody(state: EventState) -> bool:
    """Return whether the first track of a piece is its melody."""
    return state.conditions.style in MELODY_STYLES and len(state.conditions.programs) > 1


def _entry_bias(state: EventState) -> np.ndarray:
    """Favour the melody more and more until it enters."""
    return np.where(
        np.arange(v.TRACKS) == 0, ENTRY_BIAS_NATS * max(state.bar - INTRODUCTION_BARS + 1, 0), 0.0
    )


def _outside_cadence(state: EventState, event: Sequence[int]) -> np.ndarray:
    """Return which pitches do not belong to the cadence `[RELATIVE_PITCHES]` bool.

    The second half of the last bar but one has the dominant seventh chord, the last bar the tonic triad, both
    in root position: a pitch below all that sound must be the root.
    """
    onset = state.onset(event[STEP])
    if state.remaining == 1:
        if onset - state.start < state.length // 2:
            return np.zeros(RELATIVE_PITCHES, bool)
        degrees: tuple[int, ...] = DOMINANT_SEVENTH
    else:
        degrees = (0, 3 if state.conditions.minor else 4, 7)
    pitches = np.arange(RELATIVE_PITCHES) + state.pitch_offset
    degree = (pitches - state.conditions.tonic) % 12
    bass = min(state.sounding(onset), default=v.PITCHES)
    return np.asarray(~np.isin(degree, degrees) | ((pitches <= bass) & (degree != degrees[0])))


def _repetition_bias(state: EventState, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Favour the next event of the repeated bar, as long as the fields sampled so far agree with it.

    Once a field differs, the rest of the event is free: the pitch of one note must not be combined with the
    duration of another.
    """
    repeated, index = state.lookback(state.repeat_lag), REPETITION_FIELDS.index(field)
    sampled = [event[column] for column in REPETITION_FIELDS[:index]]
    if sampled != list(repeated[:index]) or repeated[index] == NO_LOOKBACK[index]:
        return 0.0
    bias = np.zeros(NO_LOOKBACK[index])
    bias[repeated[index]] = REPETITION_BIAS_NATS
    return bias


def _voice_bias(state: EventState, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Penalise steps and tracks with which a voice would sound two notes at once, or none."""
    if field == STEP and state.ends and state.length:
        # The only good step is the tick at which the first of the sounding notes ends. A bar line is good
        # while no note ends within the bar, and SAME while another voice is free at this tick.
        here, first_end = state.start + max(state.position, 0), min(state.ends.values())
        ticks = here + _ticks_ahead(state)
        wrong = ticks != first_end
        wrong[[BAR, END]] = ticks[BAR] > first_end
        wrong[SAME] = not (_free_tracks(state, here) & state.allowed_tracks(SAME)).any()
        return np.where(wrong, -VOICE_PENALTY_NATS, 0.0)
    if field == TRACK:
        free = _free_tracks(state, state.onset(event[STEP])) & state.allowed_tracks(event[STEP])
        candidates = np.flatnonzero(free)
        # Take the first of the free voices: the tracks of one onset are in ascending order, so a voice that
        # is passed over stays silent.
        if len(candidates):
            return np.where(np.arange(v.TRACKS) == candidates[0], 0.0, -VOICE_PENALTY_NATS)
    return 0.0


def _free_tracks(state: EventState, tick: int) -> np.ndarray:
    """Return which tracks have no note that sounds on at a tick `[TRACKS]` bool."""
    return np.array([state.ends.get(track, 0) <= tick for track in range(v.TRACKS)])
