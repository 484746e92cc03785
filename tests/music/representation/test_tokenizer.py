"""Encoding and decoding a piece is lossless on the grid, and all its events are valid."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import EventState
from audioseq.music.representation.grid import Piece, to_grid, to_score
from audioseq.music.representation.tokenizer import conditions_of, decode, encode, features
from tests.music.tiny import scores, song


@pytest.mark.parametrize("signature", [(255, 1), (200, 1)])
def test_bars_that_are_too_long_are_an_error(signature: tuple[int, int]) -> None:
    notes = (Note(60, 80, 0.0, 1.0), Note(60, 80, 14_000.0, 1.0))
    with pytest.raises(DataError, match=rf"bars of {signature[0]}/1; correct its time signatures"):
        to_grid(Score(notes, ((0.0, 10_000.0),), ((0.0, *signature),)))


DATA = Path(os.environ.get("AUDIOSEQ_DATA", Path(__file__).parents[3] / "shared" / "data")) / "music"


def check_round_trip(score: Score) -> None:
    """Pitches survive exactly, times within half a tick, and each event is valid."""
    piece = to_grid(score)
    events = encode(piece)
    back = decode(events.tolist(), piece.programs, piece.bpm)
    assert back.meters == piece.meters
    assert [note[:4] for note in back.notes] == [note[:4] for note in piece.notes]
    assert all(abs(a.velocity - b.velocity) <= 4 for a, b in zip(back.notes, piece.notes, strict=True))
    event_state = EventState(conditions_of(piece, 0))
    for event in events.tolist():
        assert event_state.allows(event)
        event_state.push(event)
    assert event_state.ended

    if len({(note.track, note.program, note.drum) for note in score.notes}) > v.TRACKS:
        return
    decoded = {(note.pitch, note.onset / v.TICKS_PER_QUARTER) for note in back.notes}
    pitches = np.array([pitch for pitch, _ in decoded])
    times = np.array([beats for _, beats in decoded])
    for note in score.notes:
        near = times[pitches == note.pitch] - score.beats(note.onset)
        assert np.abs(near).min() <= 0.5 / v.TICKS_PER_QUARTER + 1e-6


@given(scores())
@settings(max_examples=60, deadline=None)
def test_round_trip_of_any_music(score: Score) -> None:
    check_round_trip(score)


@pytest.mark.parametrize("folder", ["openscore-lieder", "openscore-quartets", "pop909", "joplin-rags"])
def test_round_trip_of_some_real_music(folder: str) -> None:
    files = sorted((DATA / folder).glob("*.mid"), key=lambda path: path.stat().st_size)
    if not files:
        pytest.skip(f"needs {DATA / folder}; set AUDIOSEQ_DATA")
    check_round_trip(Score.load(files[len(files) // 10]))


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["openscore-lieder", "openscore-quartets", "pop909", "joplin-rags"])
def test_round_trip_of_all_real_music(folder: str) -> None:
    files = sorted((DATA / folder).glob("*.mid"))
    if not files:
        pytest.skip(f"needs {DATA / folder}; set AUDIOSEQ_DATA")
    for path in files:
        check_round_trip(Score.load(path))


def test_score_of_a_piece_gives_the_piece() -> None:
    piece = song()
    assert to_grid(to_score(piece)) == piece


def test_key_follows_a_transposition() -> None:
    piece = song()
    assert piece.key() == (0, False)
    for semitones in range(-6, 7):
        moved = Piece(
            tuple(note._replace(negative_pitch=note.negative_pitch - semitones) for note in piece.notes),
            piece.meters, piece.programs,
        )  # fmt: skip
        assert moved.key() == (semitones % 12, False)


def test_lookback_shows_the_next_event_of_repeated_music() -> None:
    one = song(bars=1)
    length = one.starts[-1]
    piece = Piece(
        tuple(note._replace(onset=note.onset + bar * length) for bar in range(5) for note in one.notes),
        (0,) * 5, one.programs,
    )  # fmt: skip
    conditions = conditions_of(piece, 0)
    events = encode(piece)
    seen = features(events, conditions)
    first = len(seen[0]) - 1 - 16
    for row, event in zip(seen[16:-1], events[16:-1], strict=True):
        if event[v.STEP] < v.BAR:
            step, track, pitch, duration = row[first : first + 4]
            assert (step, track, duration) == (event[v.STEP], event[v.TRACK], event[v.DURATION])
            assert pitch + conditions.shift - 6 == event[v.PITCH]
