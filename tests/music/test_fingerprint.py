"""A model file knows what it was trained on, well enough to tell a copy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioseq import checkpoint
from audioseq.midi import Note, Score
from audioseq.music import fingerprint
from audioseq.music.copies import Copies
from audioseq.music.fingerprint import TENSOR, Fingerprint, remember
from audioseq.music.grid import Piece, to_grid
from tests.music import tiny


def tune(seed: int, length: int = 60) -> Piece:
    random = np.random.default_rng(seed)
    pitches = 60 + np.cumsum(random.integers(-4, 5, length)) % 24
    return to_grid(Score(tuple(Note(int(pitch), 80, n / 4, 0.25) for n, pitch in enumerate(pitches))))


def excerpt(piece: Piece, length: int, higher: int = 0, start: int = 9) -> Piece:
    moved = [note._replace(down=note.down - higher) for note in piece.notes[start : start + length]]
    return Piece(tuple(moved), piece.meters, piece.programs)


@pytest.mark.parametrize("higher", [0, 5, -3])
def test_a_run_of_17_notes_is_known_in_any_key(higher: int) -> None:
    heard = Fingerprint.of(tune(seed) for seed in range(5))
    assert heard.every == 1
    assert heard.has_run_of(excerpt(tune(3), 17, higher))
    assert not heard.has_run_of(excerpt(tune(3), 16, higher))
    assert not any(heard.has_run_of(tune(seed)) for seed in range(5, 30))


def test_it_agrees_with_the_search_through_all_notes() -> None:
    pieces = [tiny.song(seed, bars=12) for seed in range(6)]
    heard, index = Fingerprint.of(pieces), Copies.of(pieces)
    for seed in range(40):
        piece = tiny.song(seed, bars=12)
        assert heard.has_run_of(piece) == (index.longest_run(piece).notes > 16)


def test_of_many_pieces_some_runs_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "MOST", 500)
    heard = Fingerprint.of(tune(seed, 200) for seed in range(20))
    assert heard.every == pytest.approx(20 * 184 / 500, rel=0.15)
    assert heard.tensor().shape == (501,)
    found = sum(heard.has_run_of(excerpt(tune(seed, 200), 40)) for seed in range(20))
    assert found >= 15  # 1 - (1 - 1 / 7.4) ** 24 is 0.97
    assert not any(heard.has_run_of(tune(seed, 200)) for seed in range(20, 60))


def test_a_model_file_keeps_it_and_that_of_the_model_before(tmp_path: Path) -> None:
    base, own = tiny.model_file(tmp_path / "base"), tiny.model_file(tmp_path / "own")
    weights = checkpoint.load(base).weights
    remember(Fingerprint.of([tune(1)]), {base})
    remember(Fingerprint.of([tune(2)]), {own}, known_to=base)
    stored = checkpoint.load(own)
    assert set(stored.weights) == {*weights, TENSOR}
    heard = Fingerprint.from_tensor(stored.weights[TENSOR])
    assert [heard.has_run_of(tune(seed)) for seed in (1, 2, 3)] == [True, True, False]
