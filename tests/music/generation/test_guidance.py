"""How a piece is led to what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from audioseq.music.generation.guidance import MELODY, RECALL, RHYTHM, apply_guidance
from audioseq.music.representation.event_state import INDEX, LOWEST, Conditions, EventState
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


def event_state(notes_per_quarter: int, steered: bool = True) -> EventState:
    """Go through bars with so many notes in a quarter, where four are asked for, to a half of the fifth."""
    found = EventState(Conditions(0, 0, False, 16, density_class(4), 9, (0,)), steered)
    for bar in range(5):
        found.push((BAR, 0, -1, -1, -1, -1))
        for beat in range(2 if bar == 4 else 4):
            for note in range(notes_per_quarter):
                found.push((SAME if note else 24 * beat, -1, 0, 90 - note, 3, 8))
    return found


def test_density_is_told_against_what_is_amiss() -> None:
    def told(*asked: Any) -> int:
        return event_state(*asked).features()[INDEX["density"]]

    assert told(4) == told(1, False) == density_class(4)
    assert told(2) > told(3) > density_class(4) > told(8)


def led_by(found: EventState, field: int, *known: int) -> np.ndarray:
    """Return what is added to scores that are all 0."""
    scores = np.zeros(FIELDS[field] + 12 * (field == PITCH))
    return apply_guidance(found, field, [*known, *[-1] * (6 - len(known))], scores)


def test_waiting_costs_where_notes_are_missing() -> None:
    assert not led_by(event_state(1, False), STEP).any()
    for notes, sign in ((1, -1), (4, 0), (8, 1)):
        led = led_by(event_state(notes), STEP)
        assert np.array_equal(np.sign(led[[SAME, 25, 47, BAR, END]]), [0, *[sign] * 4])
        assert np.isclose(led[BAR], 3 * led[48])


def test_pitches_are_led_to_the_key_but_not_drums() -> None:
    away = event_state(1)
    for pitch in (66, 69, 73, 78, 68) * 9:
        away.push((SAME, -1, 0, pitch, 3, 8))
    led = led_by(away, PITCH, SAME, -1, 0)
    assert led[60 - LOWEST] > 0.05 > -0.05 > led[66 - LOWEST] and led.shape == (140,)
    drums = EventState(Conditions(0, 0, False, 16, 8, 9, (DRUMS,)), steered=True)
    assert not led_by(drums, PITCH, 0, -1, 0).any()


def notes_of(found: EventState, *notes: tuple[int, int, int, int]) -> EventState:
    """Go on by a bar of notes: step, track, pitch, duration in ticks."""
    found.push((BAR, 0, -1, -1, -1, -1))
    for step, track, pitch, ticks in notes:
        found.push((step, -1, track, pitch, duration_class(ticks), 8))
    return found


def test_a_bar_that_comes_back_is_led_to_what_was_there() -> None:
    found = EventState(Conditions(0, 7, False, 16, 8, 9, (0, 0)), steered=True)
    notes_of(found, (0, 0, 67, 24), (24, 0, 71, 48), (SAME, 1, 55, 24))
    notes_of(found, (0, 0, 50, 24))
    notes_of(found, (0, 0, 67, 24))

    def led(field: int, *known: int) -> list[int]:
        """Return what is likelier when the bar comes back to the first."""
        leads = []
        for found.back in (0, 2):
            leads.append(led_by(found, field, *known))
        assert set((leads[1] - leads[0]).round(9)) <= {0, RECALL}
        return np.flatnonzero(leads[1] - leads[0]).tolist()

    pitch = 71 - found.shift - LOWEST
    assert (led(STEP), led(TRACK, 24)) == ([24], [0])
    assert (led(PITCH, 24, -1, 0), led(DURATION, 24, -1, 0, pitch)) == ([pitch], [47])
    assert led(PITCH, 24, -1, 1) == led(TRACK, 36) == led(DURATION, 24, -1, 0, pitch + 1) == []
    found.push((24, -1, 0, 71, 47, 8))
    assert led(STEP) == [SAME]
    found.push((SAME, -1, 1, 55, 23, 8))
    assert led(STEP) == [BAR]


def test_voices_of_a_chorale_go_on_from_note_to_note() -> None:
    found = EventState(Conditions(STYLES.index("chorale"), 0, False, 16, 8, 9, (52,) * 3), steered=True)
    notes_of(found, (0, 0, 72, 48), (SAME, 1, 64, 24), (SAME, 2, 48, 96))

    def free(field: int, *known: int) -> list[int]:
        """Return what costs nothing of what is allowed."""
        allowed = found.steps() if field == STEP else found.tracks(*known)
        return np.flatnonzero(allowed & (led_by(found, field, *known) > -3)).tolist()

    assert (free(STEP), free(TRACK, 24), free(TRACK, 48)) == ([24], [1], [0])
    found.push((24, -1, 1, 65, 23, 8))
    assert (free(STEP), free(TRACK, 48)) == ([48], [0])
    found.push((48, -1, 0, 71, 47, 8))
    assert (free(STEP), free(TRACK, SAME)) == ([SAME], [1])
    found.push((SAME, -1, 1, 62, 47, 8))
    assert free(STEP) == [BAR]


def test_rhythm_is_held_firm_and_in_chorales_the_melody() -> None:
    scores = np.linspace(-1, 0, FIELDS[STEP])
    for style, factor in (("pop", RHYTHM), ("quartet", RHYTHM), ("chorale", 1)):
        empty = EventState(
            Conditions(STYLES.index(style), 0, False, 16, density_class(4), 9, (0,)), steered=True
        )
        assert np.array_equal(apply_guidance(empty, STEP, [-1] * 6, scores), factor * scores)
    pitches = np.linspace(-1, 0, FIELDS[PITCH] + 12)
    for style, factor in (("pop", 1), ("chorale", MELODY)):
        empty = EventState(
            Conditions(STYLES.index(style), 0, False, 16, density_class(4), 9, (0,)), steered=True
        )
        known = [0, -1, 0, -1, -1, -1]
        assert np.allclose(
            apply_guidance(empty, PITCH, known, pitches) - apply_guidance(empty, PITCH, known, 0 * pitches),
            factor * pitches,
        )
