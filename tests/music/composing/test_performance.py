"""Pieces have a pedal as pianists use it, and the timing of a player where it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audioseq.errors import ConfigError
from audioseq.midi import Note, Score
from audioseq.midi.pedal import spans
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.composing.performance import Habits, add_pedal, humanise, release_keys
from audioseq.music.instrumentation import arrange
from audioseq.music.representation.grid import to_score
from tests.music import tiny

BARS = 64


def piano(meter: tuple[int, int] = (4, 4), change: bool = True) -> Score:
    """A melody over chords of a bar each; the bass may change from bar to bar."""
    bar = 2.0 * meter[0] / meter[1]
    notes = [Note(72, 80, n * bar, bar, track=0) for n in range(BARS)]
    for n in range(BARS):
        bass = 36 + 5 * (n % 2) * change
        notes += [Note(bass + step, 70, n * bar, bar, track=2) for step in (0, 12, 16)]
    return Score(tuple(notes), time_signatures=((0.0, *meter),), names=("Melody", "Bridge", "Piano"))


def lifts(score: Score) -> np.ndarray:
    """Return the times at which the pedal is lifted, before the end, in quarter notes."""
    return np.array([score.beats(seconds) for seconds, _, down in score.pedals if not down])[:-1]


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (6, 8)])
def test_the_pedal_changes_near_the_bar_lines_with_the_bass(meter: tuple[int, int]) -> None:
    made = add_pedal(piano(meter), np.random.default_rng(1))
    assert {track for _, track, _ in made.pedals} == {2} and made.notes == piano(meter).notes
    length = 4 * meter[0] / meter[1]
    offsets = (lifts(made) + length / 2) % length - length / 2  # from the nearest bar line
    assert 0.7 * BARS < np.count_nonzero(np.abs(offsets) < 0.7) < 1.1 * BARS
    down = sum(end - start for start, end in spans(made.pedals, 0.0)[2])
    assert 0.6 < down / made.end < 0.98


def test_the_pedal_changes_less_often_over_the_same_bass() -> None:
    changing, same = (
        sum(len(lifts(add_pedal(piano(change=each), np.random.default_rng(seed)))) for seed in range(4))
        for each in (True, False)
    )
    assert same < changing


def test_the_pedal_is_lifted_before_it_goes_down_again() -> None:
    made = add_pedal(piano(), np.random.default_rng(3))
    times, _, down = zip(*made.pedals, strict=True)
    assert list(down) == [True, False] * (len(down) // 2) and (np.diff(times) >= 0).all()


def test_keys_are_released_with_the_nearer_lift() -> None:
    ends = (1.9, 2.5, 2.9, 3.5, 4.5)  # the pedal is up from 2.0 to 2.1, and from 4.0 on
    notes = tuple(Note(60 + n, 80, 1.0, end - 1.0) for n, end in enumerate(ends))
    pedals = ((0.1, 0, True), (2.0, 0, False), (2.1, 0, True), (4.0, 0, False))
    made = release_keys(Score((*notes, Note(72, 80, 2.2, 0.2)), pedals=pedals))
    assert [round(note.end, 6) for note in made.notes] == [1.9, 2.0, 2.0, 3.5, 4.5, 2.4]
    assert [round(note.end, 6) for note in made.sustained().notes] == [2.0, 2.0, 2.0, 4.0, 4.5, 4.0]


def test_only_pianos_have_a_pedal() -> None:
    violins = Score(tuple(Note(60 + n, 80, n / 2, 0.5, program=40) for n in range(8)))
    assert add_pedal(violins, np.random.default_rng(1)) == violins
    pedalled = add_pedal(piano(), np.random.default_rng(1))
    assert {track for _, track, _ in arrange(pedalled, (73, 42, 0)).pedals} == {2}
    assert not arrange(pedalled, (73, 42)).pedals


def test_the_timing_has_the_quantiles_and_the_correlations_of_the_habits() -> None:
    notes = tuple(Note(60 + k, 80, 0.5 * n, 0.5) for n in range(1, 3000) for k in (0, 4))
    made = humanise(Score(notes), np.random.default_rng(1))
    late = np.array([new.onset - 0.5 * (1 + index // 2) for index, new in enumerate(made.notes)])
    habits = Habits.load()
    assert np.quantile(late, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(
        np.quantile(habits.deviation, [0, 0.25, 0.5, 0.75, 1]), abs=0.002
    )
    pitches = np.array([note.pitch for note in made.notes])
    low, high = late[pitches == 60], late[pitches == 64]
    assert np.corrcoef(low, high)[0, 1] == pytest.approx(habits.chord, abs=0.1)
    assert np.corrcoef(low[1:], low[:-1])[0, 1] == pytest.approx(habits.chord * habits.next, abs=0.1)
    assert [note.duration for note in made.notes] == [0.5] * len(notes)


def test_fast_notes_keep_their_order_and_notes_before_the_beginning_their_times() -> None:
    notes = tuple(Note(60 + n % 12, 80, n / 50, 0.02) for n in range(400))
    made = humanise(Score(notes), np.random.default_rng(1), begin=4.0)
    assert [note.pitch for note in made.notes] == [note.pitch for note in notes]
    assert made.notes[:200] == notes[:200] and made.notes[200:] != notes[200:]


def test_pop_has_a_pedal_unless_it_continues_music() -> None:
    composer = tiny.composer(scale=1.0)
    has_pedal = [
        bool(composer.compose(1, options=CompositionOptions(bars=2, **more), primer=primer)[0].score.pedals)
        for more, primer in (
            ({"style": "pop"}, None), ({"style": "pop", "pedal": False}, None), ({"style": "lied"}, None),
            ({"style": "lied", "pedal": True}, None), ({"style": "pop"}, to_score(tiny.song(bars=2))),
        )
    ]  # fmt: skip
    assert has_pedal == [True, False, False, True, False]


def test_sheet_music_is_exact_and_files_are_humanised(tmp_path: Path) -> None:
    composer, options = tiny.composer(scale=1.0), CompositionOptions("pop", bars=2)
    (exact,) = composer.compose(1, options=options)
    assert [replace(note, duration=1) for note in exact.performance.notes] == [
        replace(note, duration=1) for note in exact.score.notes
    ]
    (played,) = composer.compose(1, options=CompositionOptions("pop", bars=2, humanise=True))
    assert played.score == exact.score and exact.performance != played.performance
    exact.save(tmp_path / "exact.mid")
    played.save(tmp_path / "played.mid")
    assert played.performance.to_bytes() == (tmp_path / "played.mid").read_bytes()
    assert (tmp_path / "exact.mid").read_bytes() != (tmp_path / "played.mid").read_bytes()


def test_the_primer_is_neither_humanised_nor_pedalled() -> None:
    primer = to_score(tiny.song(bars=2))
    options = CompositionOptions(bars=2, pedal=True, humanise=True)
    (made,) = tiny.composer(scale=1.0).compose(1, options=options, primer=primer)
    assert made.performance.notes[: len(primer.notes)] == primer.notes
    assert all(seconds >= primer.end - 1e-6 for seconds, _, _ in made.score.pedals)


def test_music_of_the_user_keeps_its_performance() -> None:
    with pytest.raises(ConfigError, match="leave out humanise"):
        tiny.composer().vary(to_score(tiny.song()), options=CompositionOptions(humanise=True))
