"""Pieces for given instruments: names, roles and ranges."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audioseq.errors import ConfigError
from audioseq.midi import Note, Score
from audioseq.midi.instruments import INSTRUMENTS
from audioseq.music.instrumentation import SINGLE_LINE, arrange, parse_instruments
from audioseq.music.representation.grid import to_score
from tests.music import tiny

FLUTE, CELLO, PIANO, GUITAR = 73, 42, 0, 24


def song() -> Score:
    """A melody in eighths over chords of three notes."""
    melody = [Note(72 + n % 5, 80, n / 4, 0.25, track=0) for n in range(16)]
    chords = [Note(pitch, 60, float(n), 1.0, track=1) for n in range(4) for pitch in (40, 52, 56)]
    return Score((*melody, *chords))


def lines(score: Score, count: int) -> list[list[int]]:
    return [[note.pitch for note in score.notes if note.track == track] for track in range(count)]


def test_melody_bass_and_chords_go_to_the_instruments_that_suit_them() -> None:
    flute, cello, piano = lines(arrange(song(), (FLUTE, CELLO, PIANO)), 3)
    assert flute == [72 + n % 5 for n in range(16)] and cello == [40] * 4 and piano == [52, 56] * 4
    melody, chords = lines(arrange(song(), (GUITAR, PIANO)), 2)
    assert len(melody) == 16 and chords == [40, 52, 56] * 4
    assert len(lines(arrange(song(), (PIANO,)), 1)[0]) == 28


def test_a_quartet_keeps_its_lines() -> None:
    pitches = (79, 64, 55, 43)
    quartet = Score(
        tuple(Note(p - n % 3, 80, n / 2, 0.5, 40, track=t) for t, p in enumerate(pitches) for n in range(8))
    )
    winds = arrange(quartet, (70, 71, 68, 73))  # bassoon, clarinet, oboe, flute
    means = [sum(line) / 8 for line in lines(winds, 4)]
    assert [len(line) for line in lines(winds, 4)] == [8] * 4 and means == sorted(means)
    assert winds.names == ("Bassoon", "Clarinet", "Oboe", "Flute")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tiny.scores(), st.lists(st.integers(0, 127), min_size=1, max_size=8))
def test_notes_are_in_range_and_single_lines_are_single(score: Score, programs: list[int]) -> None:
    arranged = arrange(score, programs)
    for track, program in enumerate(programs):
        notes = [note for note in arranged.notes if note.track == track]
        instrument = INSTRUMENTS[program]
        assert all(
            instrument.low <= note.pitch <= instrument.high and note.program == program for note in notes
        )
        if program in SINGLE_LINE:
            assert all(first.end <= second.onset + 1e-6 for first, second in pairwise(notes))
    drums = [note for note in score.notes if note.drum]
    assert len([note for note in arranged.notes if note.drum]) == len(drums)
    arranged.to_bytes()


def test_composed_pieces_can_be_arranged() -> None:
    arranged = arrange(to_score(tiny.song()), parse_instruments("flute, cello, piano"))
    assert {note.program for note in arranged.notes} == {FLUTE, CELLO, PIANO}


@pytest.mark.parametrize(
    ("text", "programs"),
    [("Piano", (0,)), ("string ensemble 1,french  HORN", (48, 60)), ("clarinet", (71,)), ("bass", (32,))],
)
def test_names_are_read_in_any_case(text: str, programs: tuple[int, ...]) -> None:
    assert parse_instruments(text) == programs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kazoo", "instrument is 'kazoo'; give names such as flute"),
        ("flute,", "instrument is ''"),
        ("lead", r"it may be lead 1 \(square\)"),
        (",".join(["flute"] * 9), "instruments are 9; give at most 8"),
    ],
)
def test_bad_names_are_one_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_instruments(text)
