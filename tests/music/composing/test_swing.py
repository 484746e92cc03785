"""Swing delays the eighths off the beat, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.errors import ConfigError
from audioseq.midi import Note, Score
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.composing.swing import swing
from audioseq.music.representation.grid import to_score
from tests.music import tiny


def eighths(meter: tuple[int, int] = (4, 4), bpm: float = 60.0) -> Score:
    """Return two bars and more of eighths."""
    notes = tuple(Note(60, 80, n * 30 / bpm, 30 / bpm) for n in range(20))
    return Score(notes, ((0.0, bpm),), ((0.0, *meter),))


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (2, 2)])
def test_eighths_off_the_beat_are_late(meter: tuple[int, int]) -> None:
    made = swing(eighths(meter, 120.0), 66.0)
    onsets = np.array([note.onset for note in made.notes]) * 2
    assert onsets == pytest.approx([n // 2 + 0.66 * (n % 2) for n in range(20)])
    ends = np.array([note.end for note in made.notes[:-1]]) * 2
    assert ends == pytest.approx(onsets[1:])


def test_straight_and_compound_pieces_are_unchanged() -> None:
    assert swing(eighths(), 50.0).notes == pytest.approx(eighths().notes)
    onsets = [note.onset for note in swing(eighths((6, 8)), 66.0).notes]
    assert onsets == pytest.approx([note.onset for note in eighths((6, 8)).notes])


def test_the_primer_does_not_swing() -> None:
    primer = to_score(tiny.song(bars=2))
    straight, swung = (
        tiny.composer(scale=1.0).compose(1, options=CompositionOptions(bars=2, swing=each), primer=primer)[0]
        for each in (None, 62.0)
    )
    assert swung.score.notes[: len(primer.notes)] == straight.score.notes[: len(primer.notes)]
    expected = swing(straight.score, 62.0, begin=4.0)
    assert swung.score == expected and swung.score != straight.score


@pytest.mark.parametrize("percent", [49.0, 76.0, float("nan")])
def test_bad_values(percent: float) -> None:
    with pytest.raises(ConfigError, match="give 50 to 75 percent"):
        CompositionOptions(swing=percent)
    with pytest.raises(ConfigError, match="leave out swing"):
        tiny.composer().fill(eighths(), (1, 1), options=CompositionOptions(swing=60.0))
