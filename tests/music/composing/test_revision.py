"""Fillings and variations: all outside the new bars is the user's, and the new notes stay inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audioseq.errors import AudioseqError, ConfigError, DataError
from audioseq.midi import Note, Score
from audioseq.music.composing.options import CompositionOptions, parse_bars
from audioseq.music.composing.revision import bars_to_vary
from audioseq.music.representation.grid import to_score
from tests.music import tiny

TICK = 60 / 120 / 24
"""Seconds of a tick of the grid at the tempo of `tiny.song`."""


def song(bars: int = 8) -> Score:
    """Return a score with free timing and velocities, as a MIDI file has it."""
    random = np.random.default_rng(0)
    score = to_score(tiny.song(bars=bars))
    notes = [
        replace(note, onset=note.onset + random.uniform(0, 0.4) * TICK, velocity=int(random.integers(40, 99)))
        for note in score.notes
    ]
    return Score.load(replace(score, notes=tuple(notes), names=("Tune", "Chords")).to_bytes())


def split(score: Score, begin: float, end: float) -> tuple[list[Note], list[Note]]:
    """Return the notes that begin outside and inside a span of seconds."""
    inside = [begin - TICK / 2 <= note.onset < end - TICK / 2 for note in score.notes]
    notes = list(zip(score.notes, inside, strict=True))
    return [note for note, each in notes if not each], [note for note, each in notes if each]


@pytest.mark.parametrize("bars", [(1, 1), (3, 4), (8, 8), (1, 8)])
def test_notes_outside_of_the_bars_are_unchanged(bars: tuple[int, int]) -> None:
    score = song()
    (made,) = tiny.composer(scale=1.0).fill(score, bars, 1, best_of=2)
    written = Score.load(made.score.to_bytes())
    lines = score.bars()
    begin, end = float(lines[bars[0] - 1]), float(lines[bars[1]])
    outside, old = split(score, begin, end)
    kept, new = split(written, begin, end)
    assert kept == outside and new and new != old
    assert all(note.end <= end + 1e-6 for note in new)
    assert {(note.track, note.program) for note in new} <= {
        (note.track, note.program) for note in score.notes
    }
    assert (written.tempos, written.time_signatures, written.names) == (
        score.tempos, score.time_signatures, score.names,
    )  # fmt: skip
    assert "seed 1," in written.text


@given(tiny.scores(), st.integers(0, 9))
@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
def test_any_piece_can_be_filled(score: Score, bar: int) -> None:
    """Meters and tempos change, drums and held notes cross the borders."""
    score = Score.load(score.to_bytes())
    lines, first = score.bars(), 0 if score.pickup else 1  # the first full bar is bar 1
    index = bar % (len(lines) - 1)
    bar = first + index
    try:
        (made,) = tiny.composer(scale=1.0).fill(score, (bar, bar), 1, best_of=1)
    except DataError as error:
        assert "only drums" in str(error)
        return
    begin, end = lines[index : index + 2]
    near = 60 / 40 / 24  # of a tick in the slowest tempo
    touched = [not note.drum and begin - near <= note.onset <= end + near for note in score.notes]
    written = Score.load(made.score.to_bytes()).notes if made.score.notes else ()
    far = [note for note, each in zip(score.notes, touched, strict=True) if not each]
    assert set(map(without_track, far)) <= set(map(without_track, written))
    assert len(set(score.notes) - set(made.score.notes)) <= sum(touched)


def without_track(note: Note) -> tuple[object, ...]:
    """Return a note without its track, whose number changes if a track before it has lost all its notes."""
    return note.pitch, note.velocity, note.program, note.drum, round(note.onset, 6), round(note.end, 6)


def test_held_notes_are_not_cut() -> None:
    held = [Note(pitch, 80, 0.0, 8.0, track=0) for pitch in range(21, 109, 2)]
    notes = [Note(60 + n % 12, 80, n / 2, 0.5, track=1) for n in range(16)]
    score = Score(tuple(held + notes))
    (made,) = tiny.composer(scale=1.0).fill(score, (2, 3), 1, best_of=1)
    assert set(held) <= set(Score.load(made.score.to_bytes()).notes)


def test_the_best_candidate_fits_what_follows() -> None:
    """Of many candidates, the events that follow are likelier on average than with a single one."""
    composer, score = tiny.composer(scale=1.0), song()
    first = composer.fill(score, (3, 4), 5, best_of=1)[0]
    assert composer.fill(score, (3, 4), 5, best_of=1)[0].score == first.score
    assert composer.fill(score, (3, 4), 5, best_of=6)[0].score != first.score


def test_a_variation_of_strength_0_is_the_piece() -> None:
    score = song()
    (made,) = tiny.composer(scale=1.0).vary(score, 0.0, 1, best_of=1)
    assert Score.load(made.score.to_bytes()).notes == score.notes


def test_a_variation_changes_its_share_of_the_bars() -> None:
    score = song()
    made = tiny.composer(scale=1.0).vary(score, 0.5, 1, count=2, best_of=1)
    for each in made:
        written = Score.load(each.score.to_bytes())
        changed = [
            split(written, begin, end)[1] != split(score, begin, end)[1]
            for begin, end in zip(score.bars(), score.bars()[1:], strict=False)
        ]
        assert sum(changed) == 4 and not changed[-1]
        assert all(changed[bar] == changed[bar + 1] for bar in (0, 2, 4, 6))
    assert made[0].score != made[1].score


@given(st.integers(1, 99), st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_bars_to_vary(bars: int, strength: float) -> None:
    chosen = bars_to_vary(bars, strength, np.random.default_rng(0))
    assert chosen <= set(range(bars))
    assert abs(len(chosen) - strength * bars) <= 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c, s: c.fill(s, (3, 2)), "bars are 3-2; the piece has bars 1-"),
        (lambda c, s: c.fill(s, (0, 2)), "bars are 0-2"),
        (lambda c, s: c.fill(s, (8, 99)), "bars are 8-99"),
        (lambda c, s: c.fill(s, (1, 1), best_of=0), "best-of is 0"),
        (lambda c, s: c.fill(s, (1, 1), options=CompositionOptions(bars=3)), "leave out bars"),
        (lambda c, s: c.vary(s, 1.5), "strength is 1.5; give 0 to 1"),
        (lambda c, s: c.vary(s, float("nan")), "strength is nan"),
        (lambda c, s: c.vary(s, options=CompositionOptions(tempo=90)), "leave out tempo"),
        (lambda c, s: c.vary(Score((Note(36, 80, 0.0, 1.0, drum=True),))), "only drums"),
    ],
)
def test_bad_requests(call: object, message: str) -> None:
    with pytest.raises(AudioseqError, match=message):
        call(tiny.composer(), song())  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "a", "9-", "-9", "1.5", "3-4-5"])
def test_bad_ranges_of_bars(text: str) -> None:
    with pytest.raises(ConfigError, match="give a range such as 9-16"):
        parse_bars(text)
