"""What leads a piece that is being composed to what was asked for, and to itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import LOWEST, NOTHING, RELATIVE_PITCHES, EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, PITCH, SAME, STEP, TRACK

HASTE = 0.4
"""Nats that a quarter's wait for the next note costs for each class of density that is missing."""
RECALL = 4.0
"""Nats by which each field is led to what came next in the bar to which a piece comes back."""
RECALLED = (STEP, TRACK, PITCH, DURATION)
"""The fields that are led so, as `Walk.look` returns them."""
SUNG = (v.STYLES.index("chorale"),)
"""Styles in which each track is a voice that goes on from note to note."""
SINGING = 8.0
"""Nats that it costs a voice there to sing two notes at once, or none."""
MELODY, RHYTHM = 1.4, 1.3
"""What the scores of pitches are multiplied by there, and those of steps everywhere else."""


def apply_guidance(
    event_state: EventState, field: int, event: Sequence[int], scores: np.ndarray
) -> np.ndarray:
    """Return the scores of a field's values as they are led.

    Args:
        walk: through the piece so far.
        field: column of an event.
        event: as far as it is known, its pitch as it is written.
        scores: of the model `[V]`.
    """
    if not event_state.steered:
        return scores
    sung = event_state.conditions.style in SUNG
    if field == (PITCH if sung else STEP):
        scores = scores * (MELODY if sung else RHYTHM)
    if sung:
        scores = scores + _sung(event_state, field, event)
    if field == STEP and event_state.length:
        scores = scores - HASTE * event_state.missing * _ahead(event_state) / v.TICKS
    if field == PITCH and event_state.conditions.programs[event[TRACK]] != v.DRUMS:
        sounding = np.arange(RELATIVE_PITCHES) + LOWEST + event_state.shift
        scores = scores + event_state.key_tracker.logit_bias()[sounding % 12]
    if event_state.back and field in RECALLED:
        scores = scores + _recalled(event_state, field, event)
    return scores


def _ahead(event_state: EventState) -> np.ndarray:
    """Return how many ticks away each step is `[STEPS]`."""
    place = max(event_state.position, 0)
    ahead = np.arange(v.STEPS) - place
    ahead[SAME], ahead[BAR], ahead[END] = 0, event_state.length - place, event_state.length - place
    return ahead


def _recalled(event_state: EventState, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Lead to what came next in the bar to which the piece comes back, while the event goes along with it."""
    recalled, at = event_state.look(event_state.back), RECALLED.index(field)
    apart = any(event[known] != value for known, value in zip(RECALLED[:at], recalled, strict=False))
    if apart or recalled[at] == NOTHING[at]:
        return 0.0
    led = np.zeros(NOTHING[at])
    led[recalled[at]] = RECALL
    return led


def _sung(event_state: EventState, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Lead voices from note to note: none sings two at once, none is silent while others sing."""
    if field == STEP and event_state.ends and event_state.length:
        here, first = event_state.start + max(event_state.position, 0), min(event_state.ends.values())
        times = here + _ahead(event_state)
        wrong = times != first
        wrong[[BAR, END]] = times[BAR] > first
        wrong[SAME] = not (_free(event_state, here) & event_state.tracks(SAME)).any()
        return np.where(wrong, -SINGING, 0.0)
    if field == TRACK:
        step = event[STEP]
        waiting = np.flatnonzero(_free(event_state, event_state.onset(step)) & event_state.tracks(step))
        return np.where(np.arange(v.TRACKS) == waiting[0], 0.0, -SINGING) if len(waiting) else 0.0
    return 0.0


def _free(event_state: EventState, tick: int) -> np.ndarray:
    """Return which tracks have no note that sounds on at a tick `[TRACKS]` bool."""
    return np.array([event_state.ends.get(track, 0) <= tick for track in range(v.TRACKS)])
