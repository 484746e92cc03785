"""A model file knows what it was trained on, well enough to tell a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.midi import Note, Score
from audioseq.music.memorisation.copies import Copies
from audioseq.music.memorisation.fingerprint import EVERY, RUN, TENSOR, Fingerprint, write_fingerprint
from audioseq.music.representation.grid import Piece, to_grid
from tests.music import tiny


def tune(seed: int, length: int = 60) -> Piece:
    random = np.random.default_rng(seed)
    pitches = 60 + np.cumsum(random.integers(-4, 5, length)) % 24
    return to_grid(Score(tuple(Note(int(pitch), 80, n / 4, 0.25) for n, pitch in enumerate(pitches))))


def excerpt(piece: Piece, length: int, higher: int = 0, start: int = 9) -> Piece:
    moved = [note._replace(down=note.down - higher) for note in piece.notes[start : start + length]]
    return Piece(tuple(moved), piece.meters, piece.programs)


@pytest.mark.parametrize("higher", [0, 5, -3])
@pytest.mark.parametrize("start", range(9, 9 + EVERY))
def test_17_notes_are_known_in_any_key_wherever_they_begin(start: int, higher: int) -> None:
    heard = Fingerprint.of(tune(seed) for seed in range(5))
    assert heard.has_run_of(excerpt(tune(3), 17, higher, start))
    assert not heard.has_run_of(excerpt(tune(3), RUN, higher, start))
    assert sum(heard.has_run_of(tune(seed)) for seed in range(5, 30)) <= 1


def test_what_it_does_not_know_shares_no_17_notes() -> None:
    pieces = [tiny.song(seed, bars=12) for seed in range(6)]
    heard, index = Fingerprint.of(pieces), Copies.of(pieces)
    found = [
        heard.has_run_of(piece) for piece in pieces + [tiny.song(seed, bars=12) for seed in range(6, 40)]
    ]
    assert all(found[:6])
    for seed in range(6, 40):
        run = index.longest_run(tiny.song(seed, bars=12)).notes
        assert run > RUN if found[seed] else run <= 16


def test_few_new_runs_are_taken_for_known() -> None:
    heard = Fingerprint.of(tune(seed, 400) for seed in range(40))
    assert len(heard.bits) == 8192  # 40 x 388 / 5 runs, 16 bits each
    random = np.random.default_rng(0).integers(2**64, size=40_000, dtype=np.uint64).tolist()
    assert sum(run in heard for run in random) < 40


@given(st.integers(0, 5), st.integers(0, 30))
@settings(deadline=None, max_examples=10)
def test_two_are_joined_whatever_their_size(few: int, many: int) -> None:
    one, other = (Fingerprint.of(tune(seed) for seed in range(n, 2 * n)) for n in (few, many))
    for both in (one | other, other | one):
        assert len(both.bits) == max(len(one.bits), len(other.bits))
        for n in (few, many):
            assert all(both.has_run_of(tune(seed)) for seed in range(n, 2 * n))


def test_a_model_file_keeps_it_and_that_of_the_model_before(tmp_path: Path) -> None:
    base, own = tiny.model_file(tmp_path / "base"), tiny.model_file(tmp_path / "own")
    weights = checkpoint.load(base).weights
    write_fingerprint(Fingerprint.of([tune(1)]), {base})
    write_fingerprint(Fingerprint.of([tune(2)]), {own}, known_to=base)
    stored = checkpoint.load(own)
    assert set(stored.weights) == {*weights, TENSOR}
    heard = Fingerprint.from_tensor(stored.weights[TENSOR])
    assert [heard.has_run_of(tune(seed)) for seed in (1, 2, 3)] == [True, True, False]
