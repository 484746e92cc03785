"""Final chords and cadences, by examples."""

from __future__ import annotations

import pytest

from audioseq.music.representation.cadence import final_chord, has_cadence, is_tonic_triad
from audioseq.music.representation.grid import GridNote, Piece


def chords(*pitches: tuple[int, ...]) -> Piece:
    """Return a piece with a chord in each half bar of 4/4."""
    notes = [GridNote(48 * i, 0, -pitch, 48, 80) for i, chord in enumerate(pitches) for pitch in chord]
    return Piece(tuple(sorted(notes)), (0,) * ((len(pitches) + 1) // 2), (0,))


C, G7, F, AM = (48, 64, 67, 72), (43, 62, 65, 71), (41, 60, 69), (45, 60, 64)


@pytest.mark.parametrize(
    ("chord", "expected"),
    [((48, 64, 67), True), ((48, 64), True), ((48, 63, 67), True), ((48, 67), False), ((48,), False),
     ((52, 60, 67), False), ((48, 64, 67, 70), False), ((), False)],
)  # fmt: skip
def test_tonic_triad(chord: tuple[int, ...], expected: bool) -> None:
    assert is_tonic_triad(chord, 0) == expected


@pytest.mark.parametrize(
    ("before", "expected"), [(G7, True), (F, True), (C, False), (AM, False), ((43, 60, 64), False)]
)
def test_cadence(before: tuple[int, ...], expected: bool) -> None:
    piece = chords(C, C, C, C, before, C)
    assert has_cadence(piece, 0) == expected
    assert sorted(note.pitch for note in final_chord(piece)) == sorted(C)


def test_a_cadence_long_before_does_not_count() -> None:
    assert not has_cadence(chords(G7, C, C, C, C, C, C, C, C), 0)
