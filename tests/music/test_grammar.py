"""How a piece is led to what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from audioseq.music.grammar import INDEX, LOWEST, Conditions, Walk
from audioseq.music.vocabulary import BAR, DRUMS, END, PITCH, SAME, STEP, density_class


def walk(notes_per_quarter: int, steered: bool = True) -> Walk:
    """Go through bars with so many notes in a quarter, where four are asked for, to a half of the fifth."""
    found = Walk(Conditions(0, 0, False, 16, density_class(4), 9, (0,)), steered)
    for bar in range(5):
        found.push((BAR, 0, -1, -1, -1, -1))
        for beat in range(2 if bar == 4 else 4):
            for note in range(notes_per_quarter):
                found.push((SAME if note else 24 * beat, -1, 0, 90 - note, 3, 8))
    return found


def test_density_is_told_against_what_is_amiss() -> None:
    def told(*asked: Any) -> int:
        return walk(*asked).features()[INDEX["density"]]

    assert told(4) == told(1, False) == density_class(4)
    assert told(2) > told(3) > density_class(4) > told(8)


def test_waiting_costs_where_notes_are_missing() -> None:
    assert walk(1, False).lead(STEP, ()) == 0
    for notes, sign in ((1, -1), (4, 0), (8, 1)):
        led = np.asarray(walk(notes).lead(STEP, ()))
        assert np.array_equal(np.sign(led[[SAME, 25, 47, BAR, END]]), [0, *[sign] * 4])
        assert np.isclose(led[BAR], 3 * led[48])


def test_pitches_are_led_to_the_key_but_not_drums() -> None:
    away = walk(1)
    for pitch in (66, 69, 73, 78, 68) * 9:
        away.push((SAME, -1, 0, pitch, 3, 8))
    led = np.asarray(away.lead(PITCH, (SAME, -1, 0)))
    assert led[60 - LOWEST] > 0.1 > -0.1 > led[66 - LOWEST] and led.shape == (140,)
    drums = Walk(Conditions(0, 0, False, 16, 8, 9, (DRUMS,)), steered=True)
    assert drums.lead(PITCH, (0, -1, 0)) == 0
