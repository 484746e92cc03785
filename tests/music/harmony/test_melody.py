"""Melody extraction: selection of notes, input of the model, unchanged melody in the result."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.harmony.melody import extract_melody
from audioseq.music.harmony.pipeline import to_score
from audioseq.music.representation.part_writing import HIGHEST_PITCH, LOWEST_PITCH
from tests.music.harmony import tiny


@given(tiny.melodies())
@settings(deadline=None)
def test_melody_is_unchanged_and_lower_voices_follow_it(score: Score) -> None:
    melody = extract_melody(score)
    assert melody.pitches.min() >= LOWEST_PITCH[0] and melody.pitches.max() <= HIGHEST_PITCH[0]
    frames = np.stack([melody.pitches, melody.pitches - 5, melody.pitches - 9, melody.pitches - 17], axis=1)
    whole = to_score(melody, frames)
    assert tuple(note for note in whole.notes if note.track == 0) == score.notes
    assert whole.tempos == score.tempos and whole.time_signatures == score.time_signatures
    for track in (1, 2, 3):
        notes = [note for note in whole.notes if note.track == track]
        assert notes and all(a.end <= b.onset + 1e-9 for a, b in pairwise(notes))
        assert notes[0].onset == score.notes[0].onset
        assert abs(notes[-1].end - score.end) < 0.2
    again = Score.load(whole.to_bytes())
    assert len(again.notes) >= len(score.notes) + 3


def test_frames_start_at_the_first_quarter() -> None:
    melody = extract_melody(tiny.melody((67, 5.5, 0.5), (69, 6, 1)))
    assert melody.pitches.tolist() == [67] * 4 + [69] * 4
    assert melody.active.tolist() == [False] * 2 + [True] * 6
    assert np.flatnonzero(melody.has_onset).tolist() == [2, 4]
    assert not melody.warnings


def test_lower_voices_hold_through_short_rests_only() -> None:
    staccato = extract_melody(tiny.melody((67, 0, 0.5), (69, 1, 0.5), (71, 2, 0.5)))
    assert staccato.active.all() and staccato.pitches.tolist() == [67] * 4 + [69] * 4 + [71] * 2
    rested = extract_melody(tiny.melody((67, 0, 0.5), (69, 100, 1)))
    assert rested.pitches.tolist() == [67] * 4 + [69] * 4
    assert rested.active.tolist() == [True] * 2 + [False] * 2 + [True] * 4
    frames = np.stack([rested.pitches, rested.pitches - 5, rested.pitches - 9, rested.pitches - 17], axis=1)
    bass = [note for note in to_score(rested, frames).notes if note.track == 3]
    assert [(note.onset, note.end) for note in bass] == [(0, 0.25), (50, 50.5)]


def test_triplets_keep_their_times() -> None:
    score = tiny.melody((67, 0, 1 / 3), (69, 1 / 3, 1 / 3), (71, 2 / 3, 1 / 3), (72, 1, 1))
    melody = extract_melody(score)
    assert melody.pitches.tolist() == [67, 69, 69, 71] + [72] * 4
    assert melody.score.notes == score.notes
    (warning,) = melody.warnings
    assert warning.startswith("2 of 4 notes are not on a sixteenth")
    assert melody.starts[1] == score.notes[1].onset  # the lower voices move with the note


def test_lower_voices_repeat_notes_with_the_melody() -> None:
    melody = extract_melody(tiny.scale((67, 67, 69)))
    frames = np.tile([0, 60, 55, 48], (12, 1))
    for track in (1, 2, 3):
        notes = [note for note in to_score(melody, frames).notes if note.track == track]
        assert [note.onset for note in notes] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("names", "expected"), [(("Flute", "Piano"), 79), (("Flute", "Soprano"), 67), (("melody", "voice"), 79)]
)
def test_melody_track_by_name_or_pitch(names: tuple[str, ...], expected: int) -> None:
    notes = (Note(79, 80, 0, 1, track=0), Note(67, 80, 0, 1, track=1), Note(90, 80, 0, 1, drum=True, track=2))
    melody = extract_melody(Score(notes, names=names))
    assert [note.pitch for note in melody.score.notes] == [expected]
    assert len(melody.warnings) == 1 and "is used as the melody" in melody.warnings[0]


def test_notes_out_of_range_are_moved_by_octaves() -> None:
    melody = extract_melody(tiny.scale((55, 62, 62, 69, 91)))
    assert melody.shift == 5 and "1 of 5 notes" in melody.warnings[1]
    assert melody.pitches[::4].tolist() == [60, 67, 67, 74, 72]
    assert melody.ceiling[::4].tolist() == [60, 67, 67, 74, 72]
    deep = extract_melody(tiny.scale((47, 62, 62, 69)))
    assert deep.shift == 5 and deep.pitches[::4].tolist() == [64, 67, 67, 74]
    assert deep.ceiling[::4].tolist() == [52, 67, 67, 74]


def test_top_line_of_chords() -> None:
    chords = tiny.melody((72, 0, 1), (67, 0, 1), (64, 0, 2), (74, 1, 1), (71, 1.5, 1.5), (60, 2, 1))
    melody = extract_melody(chords)
    assert [note.pitch for note in melody.score.notes] == [72, 74, 71]
    assert "3 of 6 notes below the top line are ignored" in melody.warnings[0]


@pytest.mark.parametrize("length", [1.5, 2.0, 4.0, 16.0])
def test_overlapping_notes_of_one_voice_are_all_kept(length: float) -> None:
    pitches = (72, 71, 69, 67, 65, 64, 62, 67, 72, 71, 69, 67)
    score = tiny.melody(*((pitch, float(beat), length) for beat, pitch in enumerate(pitches)))
    assert extract_melody(score).score.notes == score.notes
    assert not extract_melody(score).warnings
    with_chord = tiny.melody(*((note.pitch, 2 * note.onset, length) for note in score.notes), (64, 11.0, 1.0))
    assert [note.pitch for note in extract_melody(with_chord).score.notes] == list(pitches)


def test_legato_is_not_a_chord() -> None:
    score = tiny.melody((72, 0, 1.1), (71, 1, 1.1), (69, 2, 1))
    assert extract_melody(score).score.notes == score.notes


@pytest.mark.parametrize(("lowest", "shift"), [(60, 0), (57, 3), (48, 12), (72, -3), (24, 36)])
def test_melody_out_of_range_is_transposed_for_the_model(lowest: int, shift: int) -> None:
    melody = extract_melody(tiny.scale((lowest, lowest + 12)))
    assert melody.shift == shift and bool(melody.warnings) == bool(shift)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (Score((Note(36, 80, 0, 1, drum=True),)), "only drums"),
        (tiny.scale((10, 22)), "reaches down to MIDI pitch 10"),
        (tiny.melody((67, 0, 1), (67, 1001, 1)), "4008 sixteenths, and the limit is 4000"),
        (replace(tiny.scale(), tempos=((0.0, 1e7),)), "the limit is"),
    ],
)
def test_unusable_melodies_are_errors(score: Score, message: str) -> None:
    with pytest.raises(DataError, match=message):
        extract_melody(score)
