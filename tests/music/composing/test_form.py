"""Pieces with a form: sections return, but for their last bars."""

from __future__ import annotations

import pytest

from audioseq.errors import ConfigError
from audioseq.midi import Note, Score
from audioseq.music.composing.form import append
from audioseq.music.composing.options import CompositionOptions
from tests.music import tiny


def bars_of(score: Score, count: int) -> list[set[tuple[int, int, float]]]:
    """Return track, pitch and place of the notes that begin in each bar of equal length."""
    length = 240 / score.tempos[0][1]  # of a bar of 4/4, seconds
    found: list[set[tuple[int, int, float]]] = [set() for _ in range(count)]
    for note in score.notes:
        bar = int((note.onset + 1e-6) / length)
        found[bar].add((note.track, note.pitch, round(note.onset - bar * length, 4)))
    return found


def test_sections_return_with_other_ends() -> None:
    options = CompositionOptions(bars=16, meter="4/4", style="pop")
    (made,) = tiny.composer(scale=1.0).compose_form("AABA", 3, options=options)
    bars = bars_of(made.score, 16)
    sections = [bars[first : first + 4] for first in range(0, 16, 4)]
    assert sections[0][:2] == sections[1][:2] == sections[3][:2] != sections[2][:2]
    assert sections[0][2:] != sections[1][2:] != sections[3][2:]
    assert made.seed == 3 and made.score.text.count("seed") == 1 and made.score.text.endswith("form AABA")
    again = tiny.composer(scale=1.0).compose_form("AABA", 3, options=options)[0]
    assert again.score == made.score


def test_append_copies_notes_and_meters() -> None:
    notes = [Note(60 + n, 80, n / 2, 3.0 if n == 6 else 0.5) for n in range(14)]
    score = Score(tuple(notes), ((0.0, 120.0),), ((0.0, 4, 4), (2.0, 3, 4)))
    assert score.bars().tolist() == [0.0, 2.0, 3.5, 5.0, 6.5, 8.0]
    longer = append(score, 0.0, 3.5)
    copies = longer.notes[14:]
    assert [(note.pitch, note.onset) for note in copies] == [(60 + n, 8.0 + n / 2) for n in range(7)]
    assert copies[6].end == 11.5
    assert longer.time_signatures == (*score.time_signatures, (8.0, 4, 4), (10.0, 3, 4))
    assert append(score, 3.5, 5.0).time_signatures == score.time_signatures


@pytest.mark.parametrize(
    ("form", "options", "message"),
    [
        ("", {}, "form is ''; give a letter for each section"),
        ("A-B", {}, "form is 'A-B'"),
        ("AABA", {"bars": 6}, "6 bars are no multiple of the 4 sections of AABA"),
        ("AABA", {"seconds": 60.0}, "cannot be combined with seconds"),
        ("AABA", {"chords": "C G"}, "cannot be combined with chords"),
    ],
)
def test_bad_forms(form: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny.composer().compose_form(form, options=CompositionOptions(**options))  # type: ignore[arg-type]
