"""Pieces over given chords and in a given meter."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.errors import ConfigError
from audioseq.midi import Score
from audioseq.music.generation.chord_guidance import may_repeat
from audioseq.music.pipeline import CompositionOptions
from audioseq.music.representation.chords import Progression, parse_progression
from audioseq.music.representation.grid import to_grid, to_score
from tests.music import tiny

TEXT = "| C | Am7 | F#m G7 |"


def share_inside(score: Score, progression: Progression, first_bar: int = 0) -> float:
    """Return the share of the notes that belong to the chord at their onset."""
    piece = to_grid(score)
    starts = piece.starts
    inside = []
    for note in piece.pitched:
        bar = int(np.searchsorted(starts, note.onset, side="right")) - 1
        if bar >= first_bar:
            chord = progression.at(bar - first_bar, note.onset - starts[bar], starts[bar + 1] - starts[bar])
            inside.append(note.pitch % 12 in chord.tones)
    return float(np.mean(inside))


def test_the_notes_belong_to_the_chords() -> None:
    composer, progression = tiny.composer(scale=1.0), parse_progression(TEXT)
    free, given = (
        composer.compose(
            1, count=3, options=CompositionOptions(style="quartet", bars=6, chords=chords, key="C")
        )
        for chords in (None, TEXT)
    )
    assert np.mean([share_inside(piece.score, progression) for piece in free]) < 0.5
    assert np.mean([share_inside(piece.score, progression) for piece in given]) > 0.7


def test_chords_begin_after_a_primer() -> None:
    primer = to_score(tiny.song(bars=2))
    (piece,) = tiny.composer(scale=1.0).compose(
        1, options=CompositionOptions(style="pop", bars=6, chords=TEXT), primer=primer
    )
    assert share_inside(piece.score, parse_progression(TEXT), first_bar=2) > 0.85


def test_chord_symbols_are_those_of_the_progression() -> None:
    options = CompositionOptions(
        bars=4, chords="i | V7 V7/iv | iv | V7", key="d minor", meter="4/4", tempo=60
    )
    score = tiny.composer().compose(1, options=options)[0].score
    assert score.chords == ((0.0, "Dm"), (4.0, "A7"), (6.0, "D7"), (8.0, "Gm"), (12.0, "A7"))
    assert share_inside(score, parse_progression("Dm | A7 D7 | Gm | A7")) > 0.6
    later = CompositionOptions(bars=2, chords="C G", style="pop", tempo=60)
    primer = to_score(tiny.song(bars=2))
    for with_primer, first in ((True, primer.end), (False, 0.0)):
        (piece,) = tiny.composer().compose(1, options=later, primer=primer, with_primer=with_primer)
        seconds, symbol = piece.score.chords[0]
        assert seconds == pytest.approx(first, abs=0.01) and symbol == "C"


def test_a_bar_repeats_only_a_bar_of_the_same_chords() -> None:
    progression = parse_progression("C G C F")
    assert may_repeat(progression, 6, 4) and may_repeat(progression, 2, 2)
    assert not may_repeat(progression, 3, 2) and not may_repeat(progression, 4, 1)


def test_bars_have_the_given_meter() -> None:
    (piece,) = tiny.composer().compose(1, options=CompositionOptions(bars=3, meter="6/8"))
    assert piece.score.time_signatures == ((0.0, 6, 8),)


def test_the_key_is_that_of_the_chords() -> None:
    (piece,) = tiny.composer().compose(1, options=CompositionOptions(bars=2, chords="Dm Gm A7 Dm"))
    assert (piece.conditions.tonic, piece.conditions.minor) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chords": "C | X"}, "chords have 'X', which is no chord"),
        ({"meter": "4/5"}, "meter is '4/5'; give a time signature such as 4/4"),
        ({"meter": "waltz"}, "meter is 'waltz'"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CompositionOptions(**options)  # type: ignore[arg-type]
