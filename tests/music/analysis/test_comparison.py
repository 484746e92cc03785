"""Comparison of pieces in folders, and detection of copies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.analysis.comparison import compare, read_pieces


def song(first: int, seed: int, length: int = 24) -> Score:
    pitches = [first + (seed * n * n + n) % 11 for n in range(length)]
    return Score(tuple(Note(pitch, 80, n / 2, 0.5) for n, pitch in enumerate(pitches)))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for folder in ("pieces", "reference", "training"):
        (tmp_path / folder / "sub").mkdir(parents=True)
    song(60, 3).save(tmp_path / "pieces" / "copied.mid")
    song(60, 5).save(tmp_path / "pieces" / "sub" / "new.MIDI")
    (tmp_path / "pieces" / "broken.mid").write_bytes(b"MThd")
    song(50, 7).save(tmp_path / "reference" / "real.mid")
    song(67, 3, length=48).save(tmp_path / "training" / "source.mid")
    return tmp_path


def test_copies_are_reported(folders: Path) -> None:
    warnings: list[str] = []
    pieces, reference, training = (
        read_pieces(folders / name, warnings.append) for name in ("pieces", "reference", "training")
    )
    assert list(pieces) == ["copied.mid", "sub/new.MIDI"]
    assert len(warnings) == 1 and "broken.mid" in warnings[0]
    report = compare(pieces, reference, training)
    first = report.copies[0]
    assert (first.piece, first.notes, first.source) == ("copied.mid", 24, "source.mid")
    assert report.copies[1].notes < 24
    assert "24 notes  copied.mid <- source.mid" in report.summary()
    plain = json.loads(json.dumps(report.to_dict()))
    assert plain["pieces"] == 2 and {row["name"] for row in plain["statistics"]} >= {
        "polyphony",
        "longest_copy",
    }


def test_no_copies_without_training_pieces(folders: Path) -> None:
    piece = read_pieces(folders / "reference" / "real.mid", print)
    assert list(piece) == ["real.mid"]
    report = compare(piece, piece)
    assert not report.copies and "copied" not in report.summary()
    assert all(row.within_range for row in report.rows)


def test_folders_without_music_are_errors(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="no usable MIDI files"):
            read_pieces(folder, print)
    with pytest.raises(DataError, match="two folders"):
        compare({}, {})
