"""Form and playability, against values counted by hand."""

from __future__ import annotations

from audioseq.music.analysis.form import examine, summarise
from audioseq.music.representation.grid import GridNote, Piece


def piece(*tracks: list[tuple[int, int, int]], programs: tuple[int, ...], bars: int = 2) -> Piece:
    """Return a piece of notes: onset and length in quarters, pitch."""
    notes = [
        GridNote(24 * onset, track, -pitch, 24 * length, 80)
        for track, part in enumerate(tracks)
        for onset, length, pitch in part
    ]
    return Piece(tuple(sorted(notes)), (0,) * bars, programs)


def test_one_piece() -> None:
    melody = [(4, 2, 71), (6, 2, 72)]
    piano = (
        [(0, 4, p) for p in (36, 60, 84)] + [(4, 2, p) for p in (43, 62, 65)] + [(6, 2, p) for p in (48, 64)]
    )
    found = examine(piece(melody, piano, programs=(40, 0)), (0, False))
    assert (found.tonic_triad, found.cadence, found.entry) == (True, True, 1)
    assert found.outside == 0 and found.wide_chords == 1 / 3
    low = examine(piece([(0, 8, 50)], programs=(40,)), (2, False))
    assert (low.outside, low.tonic_triad, low.wide_chords) == (1.0, False, 0.0)


def test_parallels_of_four_voices() -> None:
    voices = [[(0, 2, pitch), (2, 2, pitch + 2)] for pitch in (72, 67, 64, 60)]
    found = examine(piece(*voices, programs=(52,) * 4, bars=1), (0, False)).parallels
    assert (found.chords, found.fifths, found.octaves) == (2, 1, 1)
    summary = summarise([examine(piece(*voices, programs=(52,) * 4, bars=1), (0, False))], entry_bars=1)
    assert summary["fifths"] == summary["octaves"] == 50.0 and summary["entered"] == 1
