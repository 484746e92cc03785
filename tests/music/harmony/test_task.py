"""Reading and transposition of pieces in four voices; unusable pieces are skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.data.corpora import PieceEntry, build_chorale
from audioseq.music.harmony.task import HarmonyTask
from audioseq.music.harmony.voices import load_pieces, to_frames
from audioseq.music.representation.grid import to_score
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH, REST
from tests.music.harmony import tiny

ROWS = [(67, 64, 60, 48)] * 4 + [(69, 65, 60, 53)] * 4 + [(-1, -1, -1, -1)] * 2 + [(67, 62, 59, 55)] * 6


def test_to_frames_round_trip() -> None:
    assert to_frames(to_score(build_chorale(ROWS))).tolist() == [list(row) for row in ROWS]


@given(
    st.lists(
        st.tuples(*[st.integers(low, high) for low, high in zip(LOWEST_PITCH, HIGHEST_PITCH, strict=True)]),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 5),
)
@settings(deadline=None, max_examples=30)
def test_transposition_stays_in_range(rows: list[tuple[int, ...]], epoch: int) -> None:
    frames = np.array(rows)
    task = HarmonyTask(tiny.CONFIG, {"a": frames}, [frames])
    batch = task.collate([0], epoch)
    moved = batch.tokens[0].numpy() - 1 + np.array(LOWEST_PITCH)
    assert (moved >= LOWEST_PITCH).all() and (moved <= HIGHEST_PITCH).all()
    assert len(np.unique(moved - frames)) == 1


def test_rests_stay_rests() -> None:
    frames = np.array(ROWS)
    task = HarmonyTask(tiny.CONFIG, {"a": frames}, [frames])
    shifts = set()
    for epoch in range(100):
        found = task.collate([0], epoch).tokens[0].numpy()
        assert ((found == 0) == (frames == REST)).all()
        shifts.add(int(found[0, 0] - 8))
    assert shifts == set(range(-6, 7))


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([Note(67, 80, 0, 1)], "1 tracks"),
        ([Note(p, 80, 0, 1, track=i) for i, p in enumerate((90, 64, 60, 48))], "soprano ranges from 90"),
        ([Note(p, 80, 0, 3000, track=i) for i, p in enumerate((67, 64, 60, 48))], "limit"),
    ],
)
def test_scores_without_four_parts_are_errors(notes: list[Note], message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_frames(Score(tuple(notes)))


def test_unusable_files_are_reported_and_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to_score(build_chorale(ROWS)).save(tmp_path / "good.mid")
    tiny.scale().save(tmp_path / "one.mid")
    (tmp_path / "bad.mid").write_bytes(b"no MIDI")
    found = load_pieces(
        PieceEntry(name, tmp_path / f"{name}.mid", "chorale") for name in ("good", "one", "bad")
    )
    assert list(found) == ["good"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "one.mid" in lines[0] and "bad.mid" in lines[1]


def test_no_pieces_is_an_error() -> None:
    with pytest.raises(DataError, match="no pieces"):
        HarmonyTask(tiny.CONFIG, {}, [])
