"""The longest shared run equals that of a brute-force search."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.music.memorisation.copies import SEED_STEPS, CopyIndex, SharedRun
from audioseq.music.representation.grid import GridNote, Piece


def tune(notes: list[tuple[int, int, int]], programs: tuple[int, ...] = (0, 0)) -> Piece:
    """Return a piece with notes given as sixteenth, track and pitch."""
    return Piece(
        tuple(sorted(GridNote(6 * at, track, -pitch, 6, 80) for at, track, pitch in notes)), (0,), programs
    )


def steps(piece: Piece, track: int | None) -> list[tuple[int, int]]:
    struck = sorted({(note.onset // 6, note.pitch) for note in piece.notes if track in (None, note.track)})
    return [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(struck)]


def brute(one: Piece, other: Piece) -> int:
    best = 0
    for a in (steps(one, track) for track in (None, 0, 1)):
        for b in (steps(other, track) for track in (None, 0, 1)):
            for i in range(len(a)):
                for j in range(len(b)):
                    length = 0
                    while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
                        length += 1
                    best = max(best, length)
    return best + 1 if best else 0


tunes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 1), st.integers(60, 62)), min_size=1, max_size=30
).map(tune)


@given(tunes, st.lists(tunes, min_size=1, max_size=3))
@settings(deadline=None, max_examples=80)
def test_longest_run_equals_brute_force(query: Piece, others: list[Piece]) -> None:
    found = CopyIndex.from_pieces(others).longest_run(query)
    lengths = [brute(query, other) for other in others]
    assert found.notes == max(lengths)
    assert found.source == -1 if not found.notes else lengths[found.source] == found.notes


@pytest.mark.parametrize("length", [1, 2, SEED_STEPS, SEED_STEPS + 1, SEED_STEPS + 2, 25])
def test_quotation_is_found_in_any_key_and_voice(length: int) -> None:
    random = np.random.default_rng(length)

    def melody(count: int) -> list[tuple[int, int, int]]:
        at = np.cumsum(random.integers(1, 9, count))
        return [(int(a), 0, int(pitch)) for a, pitch in zip(at, random.integers(30, 90, count), strict=True)]

    source = [melody(60) for _ in range(3)]
    quoted = [(at + 7, 1, pitch + 5) for at, _, pitch in source[1][20 : 20 + length]]
    found = CopyIndex.from_pieces([tune(notes) for notes in source]).longest_run(tune(quoted + melody(40)))
    assert found.notes >= length
    assert found.notes < length + 4
    if length > SEED_STEPS:
        assert found.source == 1


def test_empty_pieces_share_no_run() -> None:
    assert CopyIndex.from_pieces([]).longest_run(tune([(0, 0, 60), (1, 0, 61)])) == SharedRun(0, -1)
    assert CopyIndex.from_pieces([tune([(0, 0, 60)])]).longest_run(tune([(0, 0, 60)])) == SharedRun(0, -1)
    drums = tune([(0, 0, 36), (1, 0, 38)], (128, 128))
    assert CopyIndex.from_pieces([drums]).longest_run(tune([])) == SharedRun(0, -1)


def test_search_of_many_pieces_is_fast() -> None:
    random = np.random.default_rng(0)
    pieces = [
        tune(list(zip(range(300), [0] * 300, random.integers(50, 80, 300).tolist(), strict=True)))
        for _ in range(100)
    ]
    index = CopyIndex.from_pieces(pieces)
    began = time.process_time()
    assert index.longest_run(pieces[50]) == SharedRun(300, 50)
    assert time.process_time() - began < 0.5
