"""What leads a piece that is being composed to what was asked for, and to itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import LOWEST, NOTHING, RELATIVE_PITCHES, Walk
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


def lead(walk: Walk, field: int, event: Sequence[int], scores: np.ndarray) -> np.ndarray:
    """Return the scores of a field's values as they are led.

    Args:
        walk: through the piece so far.
        field: column of an event.
        event: as far as it is known, its pitch as it is written.
        scores: of the model `[V]`.
    """
    if not walk.steered:
        return scores
    sung = walk.conditions.style in SUNG
    if field == (PITCH if sung else STEP):
        scores = scores * (MELODY if sung else RHYTHM)
    if sung:
        scores = scores + _sung(walk, field, event)
    if field == STEP and walk.length:
        scores = scores - HASTE * walk.missing * _ahead(walk) / v.TICKS
    if field == PITCH and walk.conditions.programs[event[TRACK]] != v.DRUMS:
        sounding = np.arange(RELATIVE_PITCHES) + LOWEST + walk.shift
        scores = scores + walk.compass.leaning()[sounding % 12]
    if walk.back and field in RECALLED:
        scores = scores + _recalled(walk, field, event)
    return scores


def _ahead(walk: Walk) -> np.ndarray:
    """Return how many ticks away each step is `[STEPS]`."""
    place = max(walk.position, 0)
    ahead = np.arange(v.STEPS) - place
    ahead[SAME], ahead[BAR], ahead[END] = 0, walk.length - place, walk.length - place
    return ahead


def _recalled(walk: Walk, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Lead to what came next in the bar to which the piece comes back, while the event goes along with it."""
    recalled, at = walk.look(walk.back), RECALLED.index(field)
    apart = any(event[known] != value for known, value in zip(RECALLED[:at], recalled, strict=False))
    if apart or recalled[at] == NOTHING[at]:
        return 0.0
    led = np.zeros(NOTHING[at])
    led[recalled[at]] = RECALL
    return led


def _sung(walk: Walk, field: int, event: Sequence[int]) -> np.ndarray | float:
    """Lead voices from note to note: none sings two at once, none is silent while others sing."""
    if field == STEP and walk.ends and walk.length:
        here, first = walk.start + max(walk.position, 0), min(walk.ends.values())
        times = here + _ahead(walk)
        wrong = times != first
        wrong[[BAR, END]] = times[BAR] > first
        wrong[SAME] = not (_free(walk, here) & walk.tracks(SAME)).any()
        return np.where(wrong, -SINGING, 0.0)
    if field == TRACK:
        step = event[STEP]
        waiting = np.flatnonzero(_free(walk, walk.onset(step)) & walk.tracks(step))
        return np.where(np.arange(v.TRACKS) == waiting[0], 0.0, -SINGING) if len(waiting) else 0.0
    return 0.0


def _free(walk: Walk, tick: int) -> np.ndarray:
    """Return which tracks have no note that sounds on at a tick `[TRACKS]` bool."""
    return np.array([walk.ends.get(track, 0) <= tick for track in range(v.TRACKS)])
