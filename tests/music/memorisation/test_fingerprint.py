"""The fingerprint in a model file detects copies of its training pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.midi import Note, Score
from audioseq.music.memorisation.copies import CopyIndex
from audioseq.music.memorisation.fingerprint import (
    MAX_RUN_SPACING,
    RUN_STEPS,
    TENSOR_NAME,
    Fingerprint,
    write_fingerprint,
)
from audioseq.music.representation.grid import Piece, to_grid
from tests.music import tiny


def tune(seed: int, length: int = 60) -> Piece:
    random = np.random.default_rng(seed)
    pitches = 60 + np.cumsum(random.integers(-4, 5, length)) % 24
    return to_grid(Score(tuple(Note(int(pitch), 80, n / 4, 0.25) for n, pitch in enumerate(pitches))))


def excerpt(piece: Piece, length: int, higher: int = 0, start: int = 9) -> Piece:
    moved = [
        note._replace(negative_pitch=note.negative_pitch - higher)
        for note in piece.notes[start : start + length]
    ]
    return Piece(tuple(moved), piece.meters, piece.programs)


@pytest.mark.parametrize("higher", [0, 5, -3])
@pytest.mark.parametrize("start", range(9, 9 + MAX_RUN_SPACING))
def test_17_notes_are_found_in_any_key_from_any_start(start: int, higher: int) -> None:
    fingerprint = Fingerprint.from_pieces(tune(seed) for seed in range(5))
    assert fingerprint.shares_run_with(excerpt(tune(3), 17, higher, start))
    assert not fingerprint.shares_run_with(excerpt(tune(3), RUN_STEPS, higher, start))
    assert sum(fingerprint.shares_run_with(tune(seed)) for seed in range(5, 30)) <= 1


def test_piece_without_known_runs_shares_no_17_notes() -> None:
    pieces = [tiny.song(seed, bars=12) for seed in range(6)]
    fingerprint, index = Fingerprint.from_pieces(pieces), CopyIndex.from_pieces(pieces)
    found = [
        fingerprint.shares_run_with(piece)
        for piece in pieces + [tiny.song(seed, bars=12) for seed in range(6, 40)]
    ]
    assert all(found[:6])
    for seed in range(6, 40):
        run = index.longest_run(tiny.song(seed, bars=12)).notes
        assert run > RUN_STEPS if found[seed] else run <= 16


def test_false_positives_are_rare() -> None:
    fingerprint = Fingerprint.from_pieces(tune(seed, 400) for seed in range(40))
    assert len(fingerprint.bits) == 8192  # 40 x 388 / 5 runs, 16 bits each
    random = np.random.default_rng(0).integers(2**64, size=40_000, dtype=np.uint64).tolist()
    assert sum(run in fingerprint for run in random) < 40


@given(st.integers(0, 5), st.integers(0, 30))
@settings(deadline=None, max_examples=10)
def test_fingerprints_of_any_size_are_merged(few: int, many: int) -> None:
    one, other = (Fingerprint.from_pieces(tune(seed) for seed in range(n, 2 * n)) for n in (few, many))
    for both in (one | other, other | one):
        assert len(both.bits) == max(len(one.bits), len(other.bits))
        for n in (few, many):
            assert all(both.shares_run_with(tune(seed)) for seed in range(n, 2 * n))


def test_model_file_includes_the_fingerprint_of_its_base_model(tmp_path: Path) -> None:
    base, own = tiny.model_file(tmp_path / "base"), tiny.model_file(tmp_path / "own")
    weights = checkpoint.load(base).weights
    write_fingerprint(Fingerprint.from_pieces([tune(1)]), {base})
    write_fingerprint(Fingerprint.from_pieces([tune(2)]), {own}, base_model=base)
    stored = checkpoint.load(own)
    assert set(stored.weights) == {*weights, TENSOR_NAME}
    fingerprint = Fingerprint.from_array(stored.arrays[TENSOR_NAME])
    assert [fingerprint.shares_run_with(tune(seed)) for seed in (1, 2, 3)] == [True, True, False]
