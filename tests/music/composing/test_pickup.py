"""Pieces can begin with a pickup, and pieces of the user that do are understood."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from audioseq.errors import ConfigError, DataError
from audioseq.midi import Note, Score
from audioseq.music.composing.composition import Composition
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.composing.pickup import signature_of
from audioseq.music.composing.revision import bars_to_fill
from audioseq.music.generation.primer import Primer
from audioseq.music.representation.grid import to_grid
from tests.music import tiny


def compose(**options: object) -> Composition:
    wanted = CompositionOptions(bars=3, **options)  # type: ignore[arg-type]
    return tiny.composer(scale=1.0).compose(5, options=wanted)[0]


@pytest.mark.parametrize(
    ("meter", "pickup"), [("4/4", 1), ("3/4", 1), ("4/4", 2.5), ("6/8", 0.5), ("2/2", 0.75)]
)
@pytest.mark.parametrize("style", ["lied", "chorale"])
def test_the_piece_begins_with_an_incomplete_bar(meter: str, pickup: float, style: str) -> None:
    made = compose(style=style, meter=meter, pickup=pickup).score
    full = float(4 * Fraction(meter))
    lines = np.asarray(Score.load(made.to_bytes()).beats(Score.load(made.to_bytes()).bars()))
    assert np.diff(lines) == pytest.approx([pickup, full, full, full], abs=0.01)
    assert made.notes[0].onset == 0 and made.pickup == pytest.approx(pickup)
    upbeat = {note.track for note in made.notes if made.beats(note.onset) < pickup - 0.01}
    assert upbeat == {0} if style == "lied" else 0 in upbeat
    assert 3 <= len(to_grid(made).meters) - 1 <= 4  # a pickup of 5/8 is two bars of the grid, or one


def test_pickups_go_with_chords_swing_and_pedal() -> None:
    straight, made = (
        compose(style="pop", pickup=1, chords="C | F | G", pedal=True, swing=swing) for swing in (None, 66)
    )
    symbols = [(round(made.score.beats(seconds), 6), symbol) for seconds, symbol in made.score.chords]
    assert symbols == [(1.0, "C"), (5.0, "F"), (9.0, "G")]
    assert made.score.pedals and min(seconds for seconds, *_ in made.score.pedals) > 0
    straight_beats, beats = (
        np.array([each.score.beats(note.onset) for note in each.score.notes]) for each in (straight, made)
    )
    on_beat = np.abs(straight_beats - np.rint(straight_beats)) < 1e-6
    assert np.allclose(straight_beats[on_beat], np.sort(beats)[on_beat])


def test_the_same_piece_without_a_pickup_differs_only_where_asked() -> None:
    assert compose(style="lied", pickup=1).score == compose(style="lied", pickup=1).score
    assert compose(style="lied").score.pickup == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pickup": 4}, "pickup is 4; give 0.25 to 3.75 quarter notes"),
        ({"pickup": 3, "meter": "3/4"}, "pickup is 3; give 0.25 to 2.75"),
        ({"pickup": 0}, "pickup is 0; give 0.25"),
        ({"pickup": 0.3}, "pickup is 0.3; give a multiple of 0.25 quarter notes"),
    ],
)
def test_bad_pickups_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose(**options)


def test_a_primer_and_a_form_have_no_new_pickup() -> None:
    options = CompositionOptions(pickup=1)
    with pytest.raises(ConfigError, match="pickup and primer exclude each other"):
        tiny.composer().compose(1, options=options, primer=tune())
    with pytest.raises(ConfigError, match="cannot be combined with pickup"):
        tiny.composer().compose_form("AB", 1, options=options)


def tune() -> Score:
    """An upbeat and four bars of 3/4, at 60 quarters per minute."""
    notes = tuple(Note(60 + n % 8, 80, float(n), 1.0) for n in range(13))
    return Score(notes, ((0.0, 60.0),), ((0.0, 1, 4), (1.0, 3, 4)))


def test_a_primer_keeps_its_pickup_and_goes_on_in_full_bars() -> None:
    options = CompositionOptions(bars=2)
    (made,) = tiny.composer(scale=1.0).compose(1, options=options, primer=tune())
    assert made.score.pickup == 1
    assert np.diff(made.score.beats(made.score.bars())) == pytest.approx([1, 3, 3, 3, 3, 3, 3])
    assert made.score.notes[:13] == tune().notes


def test_bars_count_from_the_first_full_one() -> None:
    primer = Primer(tune())
    assert bars_to_fill(primer, (1, 2)) == {1, 2} and bars_to_fill(primer, (0, 0)) == {0}
    assert bars_to_fill(primer, (4, 4)) == {4}
    with pytest.raises(DataError, match="the piece has bars 0-4"):
        bars_to_fill(primer, (4, 5))


def test_chords_of_an_accompaniment_begin_with_the_first_full_bar() -> None:
    options = CompositionOptions("lied", chords="C | G")
    (made,) = tiny.composer(scale=1.0).accompany(tune(), 1, options=options, best_of=1)
    assert [(round(seconds, 3), symbol) for seconds, symbol in made.score.chords][:2] == [
        (1.0, "C"),
        (4.0, "G"),
    ]


def test_signatures_of_pickups() -> None:
    assert [signature_of(each, 4) for each in (0.25, 0.75, 2, 3.5)] == [(1, 16), (3, 16), (2, 4), (7, 8)]
