"""Velocities within levels: hairpins, phrases, and the velocities of a primer."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.music.generation.dynamics import refine
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import GridNote, Piece


def refined(style: str, levels: list[int], heard: tuple[int, ...] = ()) -> list[int]:
    """Return the velocities of quarter notes with these levels."""
    notes = tuple(GridNote(24 * i, 0, -60, 24, v.level_velocity(level)) for i, level in enumerate(levels))
    piece = Piece(notes, (0,) * (len(levels) // 4 + 1), (0,))
    random = np.random.default_rng(0)
    return [note.velocity for note in refine(piece, v.STYLES.index(style), random, heard).notes]


def test_pop_uses_several_velocities_of_a_level() -> None:
    velocities = refined("pop", [10] * 200)
    assert set(velocities) == set(range(81, 87))


@pytest.mark.parametrize("style", ["lied", "quartet"])
def test_marks_and_hairpins(style: str) -> None:
    velocities = refined(style, [6] * 8 + [10] * 8)
    assert velocities[:7] == [49] * 7 and velocities[8:] == [80] * 8
    assert 49 < velocities[7] < 80
    assert refined(style, [11] * 4) == [92] * 4  # no mark has this level


def test_phrases_of_chorales_rise_and_fall() -> None:
    velocities = refined("chorale", [10] * 17)
    assert velocities[0] < velocities[2] < velocities[4] > velocities[6] > velocities[7]
    assert velocities[8:16] == velocities[:8]


def test_velocities_of_a_primer_are_used_again() -> None:
    assert set(refined("chorale", [10] * 40 + [12] * 40, (81, 87, 99))) == {81, 87, 99}
