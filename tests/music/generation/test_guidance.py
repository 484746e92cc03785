"""Logit biases towards the density, the key, repetition and continuous voices."""

from __future__ import annotations

from typing import Any

import numpy as np

from audioseq.music.generation.guidance import (
    CHORD_BIAS_NATS,
    ENTRY_BIAS_NATS,
    INTRODUCTION_BARS,
    LENGTH_BIAS_NATS,
    PITCH_SCALES,
    REPETITION_BIAS_NATS,
    STEP_SCALES,
    apply_guidance,
)
from audioseq.music.representation.event_state import (
    COLUMN_INDEX,
    LOWEST_RELATIVE_PITCH,
    Conditions,
    EventState,
)
from audioseq.music.representation.vocabulary import (
    BAR,
    DRUMS,
    DURATION,
    END,
    FIELDS,
    PITCH,
    SAME,
    STEP,
    STYLES,
    TRACK,
    density_class,
    duration_class,
)


def event_state(notes_per_quarter: int, guided: bool = True) -> EventState:
    """Return the state after four and a half bars, where four notes per quarter are requested."""
    found = EventState(Conditions(0, 0, False, 16, density_class(4), 9, (0,)), guided)
    for bar in range(5):
        found.push((BAR, 0, -1, -1, -1, -1))
        for beat in range(2 if bar == 4 else 4):
            for note in range(notes_per_quarter):
                found.push((SAME if note else 24 * beat, -1, 0, 90 - note, 3, 8))
    return found


def test_requested_density_counteracts_the_deficit() -> None:
    def requested(*arguments: Any) -> int:
        return event_state(*arguments).features()[COLUMN_INDEX["density"]]

    assert requested(4) == requested(1, False) == density_class(4)
    assert requested(2) > requested(3) > density_class(4) > requested(8)


def bias_of(found: EventState, field: int, *known: int) -> np.ndarray:
    """Return the bias: the guided scores of values whose scores are 0."""
    scores = np.zeros(FIELDS[field] + 12 * (field == PITCH))
    return apply_guidance(found, field, [*known, *[-1] * (6 - len(known))], scores)


def test_distant_steps_are_penalised_while_notes_are_missing() -> None:
    assert not bias_of(event_state(1, False), STEP).any()
    for notes, sign in ((1, -1), (4, 0), (8, 1)):
        bias = bias_of(event_state(notes), STEP)
        assert np.array_equal(np.sign(bias[[25, 47, BAR, END]]), [sign] * 4)
        assert np.isclose(bias[BAR], 3 * bias[48])


def test_pitches_are_guided_to_the_key_except_drums() -> None:
    away = event_state(1)
    for pitch in (66, 69, 73, 78, 68) * 9:
        away.push((SAME, -1, 0, pitch, 3, 8))
    bias = bias_of(away, PITCH, SAME, -1, 0)
    assert bias.shape == (140,)
    assert bias[60 - LOWEST_RELATIVE_PITCH] > 0.05 > -0.05 > bias[66 - LOWEST_RELATIVE_PITCH]
    drums = EventState(Conditions(0, 0, False, 16, 8, 9, (DRUMS,)), guided=True)
    assert not bias_of(drums, PITCH, 0, -1, 0).any()


def notes_of(found: EventState, *notes: tuple[int, int, int, int]) -> EventState:
    """Add a bar of notes: step, track, pitch, duration in ticks."""
    found.push((BAR, 0, -1, -1, -1, -1))
    for step, track, pitch, ticks in notes:
        found.push((step, -1, track, pitch, duration_class(ticks), 8))
    return found


def test_a_repeated_bar_favours_its_events() -> None:
    found = EventState(Conditions(0, 7, False, 16, 8, 9, (0, 0)), guided=True)
    notes_of(found, (0, 0, 67, 24), (24, 0, 71, 48), (SAME, 1, 55, 24))
    notes_of(found, (0, 0, 50, 24))
    notes_of(found, (0, 0, 67, 24))

    def favoured(field: int, *known: int) -> list[int]:
        """Return the values with a bonus when the bar repeats the first."""
        biases = []
        for found.repeat_lag in (0, 2):
            biases.append(bias_of(found, field, *known))
        assert set((biases[1] - biases[0]).round(9)) <= {0, REPETITION_BIAS_NATS}
        return np.flatnonzero(biases[1] - biases[0]).tolist()

    pitch = 71 - found.shift - LOWEST_RELATIVE_PITCH
    assert (favoured(STEP), favoured(TRACK, 24)) == ([24], [0])
    assert (favoured(PITCH, 24, -1, 0), favoured(DURATION, 24, -1, 0, pitch)) == ([pitch], [47])
    assert favoured(PITCH, 24, -1, 1) == favoured(TRACK, 36) == favoured(DURATION, 24, -1, 0, pitch + 1) == []
    found.push((24, -1, 0, 71, 47, 8))
    assert favoured(STEP) == [SAME]
    found.push((SAME, -1, 1, 55, 23, 8))
    assert favoured(STEP) == [BAR]


def test_voices_of_a_chorale_have_no_rests_or_overlaps() -> None:
    found = EventState(Conditions(STYLES.index("chorale"), 0, False, 16, 8, 9, (52,) * 3), guided=True)
    notes_of(found, (0, 0, 72, 48), (SAME, 1, 64, 24), (SAME, 2, 48, 96))

    def unpenalised(field: int, *known: int) -> list[int]:
        """Return the valid values without a penalty."""
        allowed = found.allowed_steps() if field == STEP else found.allowed_tracks(*known)
        return np.flatnonzero(allowed & (bias_of(found, field, *known) > -3)).tolist()

    assert (unpenalised(STEP), unpenalised(TRACK, 24), unpenalised(TRACK, 48)) == ([24], [1], [0])
    found.push((24, -1, 1, 65, 23, 8))
    assert (unpenalised(STEP), unpenalised(TRACK, 48)) == ([48], [0])
    found.push((48, -1, 0, 71, 47, 8))
    assert (unpenalised(STEP), unpenalised(TRACK, SAME)) == ([SAME], [1])
    found.push((SAME, -1, 1, 62, 47, 8))
    assert unpenalised(STEP) == [BAR]


def test_steps_pitches_and_durations_are_scaled_by_style() -> None:
    for style, name in enumerate(STYLES):
        empty = EventState(Conditions(style, 0, False, 16, density_class(4), 9, (0,)), guided=True)
        scores = np.linspace(-1, 0, FIELDS[STEP])
        assert np.allclose(apply_guidance(empty, STEP, [-1] * 6, scores), STEP_SCALES[style] * scores), name
        pitches, known = np.linspace(-1, 0, FIELDS[PITCH] + 12), [0, -1, 0, -1, -1, -1]
        difference = apply_guidance(empty, PITCH, known, pitches) - apply_guidance(
            empty, PITCH, known, 0 * pitches
        )
        assert np.allclose(difference, PITCH_SCALES[style] * pitches)
        longer = apply_guidance(empty, DURATION, [0, -1, 0, 70, -1, -1], np.zeros(FIELDS[DURATION]))
        assert np.isclose(longer[duration_class(48)] - longer[duration_class(24)], LENGTH_BIAS_NATS[style])


def test_chords_are_thinned_while_there_are_too_many_notes() -> None:
    assert bias_of(event_state(8), STEP)[SAME] < -CHORD_BIAS_NATS / 2
    assert bias_of(event_state(1), STEP)[SAME] == 0


def test_the_melody_of_a_song_enters() -> None:
    found = EventState(Conditions(STYLES.index("pop"), 0, False, 16, 8, 20, (0, 0)), guided=True)
    for bar in range(8):
        notes_of(found, (0, 1, 60, 24))
        bias = bias_of(found, TRACK, 24)
        assert bias[0] == ENTRY_BIAS_NATS * max(bar - INTRODUCTION_BARS + 1, 0) and not bias[1:].any()
    found.push((24, -1, 0, 72, 23, 8))
    assert not bias_of(found, TRACK, 48).any()


def test_endings_are_guided_to_a_cadence() -> None:
    found = EventState(Conditions(STYLES.index("quartet"), 2, False, 16, 8, 2, (40, 42)), guided=True)
    found.ending_bias = 3.0

    def penalised(step: int) -> set[int]:
        bias = bias_of(found, PITCH, step, -1, 1)
        return {(int(p) + found.pitch_offset - 2) % 12 for p in np.flatnonzero(bias < -2)} & set(range(12))

    notes_of(found, (0, 0, 81, 24))
    low = 45 - found.pitch_offset
    assert not bias_of(found, PITCH, 24, -1, 1)[low] < -2  # the first half of the bar is free
    assert bias_of(found, PITCH, 48, -1, 1)[low] > -1 and {0, 4, 9} <= penalised(48)  # A below A7
    notes_of(found, (0, 0, 78, 24))
    assert bias_of(found, PITCH, SAME, -1, 1)[low] < -2  # A is no bass of D major
    assert bias_of(found, PITCH, SAME, -1, 1)[50 - found.pitch_offset] > -1
