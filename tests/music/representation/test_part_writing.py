"""Parallels and crossings: examples, and an independent slow implementation."""

from __future__ import annotations

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq.music.representation.part_writing import RuleCounts, count_violations


@pytest.mark.parametrize(
    ("chords", "fifths", "octaves"),
    [
        ([(67, 60), (69, 62)], 1, 0),  # G over C, A over D
        ([(67, 60), (65, 58)], 1, 0),  # the same downwards
        ([(79, 60), (81, 62)], 1, 0),  # a twelfth is a fifth
        ([(67, 60), (81, 62)], 1, 0),  # a fifth to a twelfth, both upwards
        ([(72, 60), (74, 62)], 0, 1),
        ([(60, 60), (62, 62)], 0, 1),  # in unison
        ([(67, 60), (67, 60)], 0, 0),  # held
        ([(67, 60), (79, 60)], 0, 0),  # only one moves
        ([(67, 60), (69, 50)], 0, 0),  # contrary motion
        ([(64, 60), (69, 62)], 0, 0),  # a third, then a fifth: hidden, not parallel
        ([(67, 60), (68, 62)], 0, 0),  # a fifth, then a diminished one
        ([(60, 67), (62, 69)], 0, 0),  # crossed, the upper one below: a fourth
        ([(67, 60), (-1, -1), (69, 62)], 0, 0),  # a rest between
        ([(67, 60), (67, 62), (69, 62)], 0, 0),  # one after the other
        ([(67, 64, 60), (69, 65, 62)], 1, 0),
        ([(72, 67, 60), (74, 69, 62)], 1, 1),
    ],
)
def test_parallels(chords: list[tuple[int, ...]], fifths: int, octaves: int) -> None:
    found = count_violations(np.array(chords))
    assert (found.fifths, found.octaves) == (fifths, octaves)


def test_chords_and_crossings() -> None:
    frames = np.array([[67, 60], [67, 60], [67, 62], [60, 62], [60, 62], [60, 64], [-1, 64]])
    assert count_violations(frames) == RuleCounts(chords=5, fifths=0, octaves=0, crossings=2)
    assert (count_violations(frames) + count_violations(frames)).per_100()["crossings"] == 40


def count_slowly(frames: list[tuple[int, ...]]) -> tuple[int, int, int]:
    """Count chords, fifths and octaves with loops."""
    fifths = octaves = 0
    for before, after in pairwise(frames):
        for high, low in combinations(range(len(before)), 2):
            four = (before[high], before[low], after[high], after[low])
            up = after[high] > before[high] and after[low] > before[low]
            down = after[high] < before[high] and after[low] < before[low]
            if -1 in four or not (up or down):
                continue
            distances = [before[high] - before[low], after[high] - after[low]]
            fifths += all((d - 7) % 12 == 0 for d in distances)
            octaves += all(d % 12 == 0 for d in distances)
    chords = 1 + sum(a != b for a, b in pairwise(frames))
    return chords, fifths, octaves


@given(
    st.lists(st.tuples(*[st.sampled_from((-1, 48, 50, 55, 57, 60, 62, 67, 69))] * 3), min_size=1, max_size=30)
)
def test_counts_equal_slow_implementation(frames: list[tuple[int, ...]]) -> None:
    found = count_violations(np.array(frames))
    assert (found.chords, found.fifths, found.octaves) == count_slowly(frames)


def test_counts_of_test_chorales(data_root: Path) -> None:
    path = data_root / "music" / "jsb-chorales" / "Jsb16thSeparated.json"
    pieces = json.loads(path.read_text())["test"]
    found = sum((count_violations(np.array(piece)) for piece in pieces), RuleCounts())
    assert (found.chords, found.fifths, found.octaves) == (7190, 18, 6)
