"""Guidance of pitches and durations towards given chords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioseq.music.generation.guidance import PITCH_SCALES
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import MAJOR_SCALE, MINOR_SCALE, Progression
from audioseq.music.representation.event_state import RELATIVE_PITCHES, EventState
from audioseq.music.representation.vocabulary import PITCH, SAME, STEP, TRACK

FOREIGN_NATS = 6.0
"""Penalty of a note that does not belong to the chord, at the inverse temperature 1."""
PASSING_NATS = 0.7
"""The same for notes of the key in the melody, off the beat."""
BASS_NATS = 6.0
"""Penalty of the other tones of the chord in the bass, when a chord begins."""
HELD_NATS = 3.0
"""Penalty of a duration beyond the end of the chord, of a note that does not belong to the next."""
HIGHEST_BASS = 57
"""MIDI pitch up to which a note counts as a bass, the A below middle C."""


def chord_bias(
    progression: Progression | None, state: EventState, field: int, event: Sequence[int]
) -> np.ndarray:
    """Return the values to add to the scores of relative pitches or of durations.

    They are 0 for drums, and without chords.

    Args:
        progression: the chords, repeated.
        state: of the piece so far.
        field: `PITCH` or `DURATION`.
        event: the fields sampled so far, with its relative pitch.
    """
    size = RELATIVE_PITCHES if field == PITCH else v.DURATIONS
    if progression is None or state.conditions.programs[event[TRACK]] == v.DRUMS:
        return np.zeros(size)
    return (_pitch_bias if field == PITCH else _duration_bias)(progression, state, event)


def _position(state: EventState, event: Sequence[int]) -> int:
    return max(state.position, 0) if event[STEP] == SAME else event[STEP]


def _pitch_bias(progression: Progression, state: EventState, event: Sequence[int]) -> np.ndarray:
    """Favour the tones of the chord at the onset.

    Other notes are rare on the beats and in the accompaniment, and less so as passing notes of the melody.
    When a chord begins, low notes favour its bass.
    """
    conditions, track, position = state.conditions, event[TRACK], _position(state, event)
    chord = progression.at(state.bar, position, state.length)
    scale = MINOR_SCALE if conditions.minor else MAJOR_SCALE
    in_scale = np.isin(np.arange(12), [(conditions.tonic + step) % 12 for step in scale])
    in_chord = np.isin(np.arange(12), list(chord.tones))
    is_passing = track == 0 and position % v.TICKS_PER_QUARTER != 0
    penalty = np.where(in_scale & is_passing, PASSING_NATS, FOREIGN_NATS)
    pitches = np.arange(RELATIVE_PITCHES) + state.pitch_offset
    bias = -np.where(in_chord, 0.0, penalty)[pitches % 12]
    begins = position == 0 or progression.at(state.bar, position - 1, state.length) is not chord
    if begins:
        bias -= BASS_NATS * ((pitches <= HIGHEST_BASS) & (pitches % 12 != chord.bass))
    return bias * PITCH_SCALES[conditions.style]


def _duration_bias(progression: Progression, state: EventState, event: Sequence[int]) -> np.ndarray:
    """Avoid durations that hold a note into a chord to which it does not belong."""
    position, length = _position(state, event), state.length
    chord = progression.at(state.bar, position, length)
    change = next(
        (t for t in range(position, length) if progression.at(state.bar, t, length) is not chord), length
    )
    following = (
        progression.at(state.bar, change, length)
        if change < length
        else progression.bars[(state.bar + 1) % len(progression.bars)][0]
    )
    if (event[PITCH] + state.pitch_offset) % 12 in following.tones:
        return np.zeros(v.DURATIONS)
    return np.where(np.array(v.DURATION_TICKS) > change - position, -HELD_NATS, 0.0)


def may_repeat(progression: Progression, bar: int, lag: int) -> bool:
    """Return whether a bar has the chords of the bar that it is to repeat."""
    bars = progression.bars
    return bars[bar % len(bars)] == bars[(bar - lag) % len(bars)]
