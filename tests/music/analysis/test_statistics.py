"""Statistics against values counted by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from audioseq.music.analysis.statistics import Statistics, compare, describe, table
from audioseq.music.representation.grid import GridNote, Piece
from audioseq.music.representation.vocabulary import DRUMS

TICKS_PER_QUARTER = 24
WALTZ = 1
"""Index of the meter 3/4."""


def piece(
    notes: Sequence[tuple[float, int, float]], bars: int = 1, meter: int = 0, drums: bool = False
) -> Piece:
    """Return a piece of one track: onset and duration in quarters, 4/4, 120 quarters a minute."""
    grid_notes = (
        GridNote(round(TICKS_PER_QUARTER * onset), 0, -pitch, round(TICKS_PER_QUARTER * length), 80)
        for onset, pitch, length in notes
    )
    return Piece(tuple(sorted(grid_notes)), (meter,) * bars, (DRUMS if drums else 0,), 120.0)


def test_pitches() -> None:
    found = describe(piece([(0, 60, 1), (1, 72, 1), (2, 67, 1), (3, 66, 1)]))
    assert found.pitch_range == 12
    assert found.pitch_class_entropy == pytest.approx(-0.5 * np.log(0.5) - 2 * 0.25 * np.log(0.25))
    assert found.scale_consistency == 1.0  # G major has C, G and F#
    assert describe(piece([(0, 60, 1)])).pitch_class_entropy == 0


def test_chromatic_scale_has_low_scale_consistency() -> None:
    chromatic = [(n / 4, 60 + n, 0.25) for n in range(12)]
    found = describe(piece(chromatic))
    assert found.scale_consistency == pytest.approx(7 / 12)
    assert found.pitch_class_entropy == pytest.approx(np.log(12))


def test_density_and_polyphony() -> None:
    # A whole note below two half notes, then a bar of rest: 8 quarters of notes sound within 4 quarters.
    found = describe(piece([(0, 48, 4), (0, 60, 2), (2, 62, 2)], bars=2))
    assert found.polyphony == 2.0
    assert found.notes_per_second == 3 / 4
    assert found.notes_per_bar == 1.5
    gaps = describe(piece([(0, 60, 1), (0, 64, 1), (3, 60, 1)]))
    assert gaps.polyphony == 1.5


def test_groove() -> None:
    steady = [(bar * 4 + beat, 60 + beat + bar, 1.0) for bar in range(3) for beat in range(4)]
    assert describe(piece(steady, bars=3)).groove_consistency == 1.0
    # The bars differ on 2 of 16 sixteenths; the empty third bar is not compared.
    differ = [(0, 60, 1.0), (1, 60, 1.0), (4, 60, 1.0), (6, 60, 1.0)]
    assert describe(piece(differ, bars=3)).groove_consistency == pytest.approx(14 / 16)


def test_repetition_and_similarity() -> None:
    first = [(0, 60, 1), (1, 62, 1)]
    notes = [(start + onset, pitch, length) for start in (0, 4, 12) for onset, pitch, length in first]
    notes += [(8, 60, 1), (9, 65, 1), (10, 67, 1)]  # shares one of four
    found = describe(piece(notes, bars=4))
    assert found.repetition == 2 / 4
    assert found.self_similarity == pytest.approx((1 + 1 / 4 + 1) / 3)
    assert describe(piece(first)).self_similarity == 0


def test_similarity_to_earlier_bars() -> None:
    bars = [(60, 62), (60, 62), (67, 69), (71, 72), (60, 62), (60, 64)]
    notes = [(4 * bar + n, pitch, 1) for bar, pair in enumerate(bars) for n, pitch in enumerate(pair)]
    found = describe(piece(notes, bars=6))
    assert found.similarity_4 == pytest.approx((1 + 1 / 3) / 2)
    assert found.similarity_8 == found.similarity_16 == 0


def test_lengths_and_velocities() -> None:
    loud = piece([(0, 60, 1), (1, 60, 2), (3, 60, 0.5), (3, 64, 0.5)])
    notes = tuple(note._replace(velocity=80 + 10 * index) for index, note in enumerate(loud.notes))
    found = describe(Piece(notes, loud.meters, loud.programs, loud.bpm))
    assert (found.note_length, found.velocities) == (0.75, 4)
    assert found.note_length_spread == pytest.approx(np.std([0, 1, -1, -1]))
    assert found.velocity_spread == pytest.approx(np.std([80, 90, 100, 110]))


def test_bars_in_three_four() -> None:
    notes = [(3 * bar + beat, 60, 1) for bar in range(2) for beat in range(3)]
    found = describe(piece(notes, bars=2, meter=WALTZ))
    assert found.repetition == 1 / 2 and found.groove_consistency == 1.0


def test_drums_count_in_rhythm_only() -> None:
    found = describe(piece([(0, 36, 1), (2, 38, 1)], drums=True))
    assert (found.pitch_range, found.pitch_class_entropy, found.polyphony) == (0, 0, 0)
    assert found.notes_per_bar == 2


def test_comparison() -> None:
    def one(density: float, copy: int | None) -> Statistics:
        return Statistics(
            1.0, 2.0, 3.0, 4.0, density, 6.0, 7.0, 8.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, copy
        )  # fmt: skip

    reference = [one(value, 3) for value in range(11)]
    rows = {row.name: row for row in compare([one(9.5, None)], reference)}
    assert "longest_copy" not in rows
    row = rows["notes_per_second"]
    assert row.pieces == (9.5, 9.5, 9.5) and row.reference == (2.5, 5.0, 7.5) and not row.within_range
    assert rows["polyphony"].within_range
    text = table(list(rows.values()))
    assert text.count("median outside") == 1
    assert "notes per second" in text and len({len(line) for line in text.splitlines()[1:]}) <= 2
