"""Chords in MIDI files, as notes and as markers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.representation.chord_track import RECOGNISED, load_chords, read_chords, recognise
from audioseq.music.representation.chords import parse_chord, parse_progression

TEXT = "| C | Am7 F | Bb/D | % | G7 G7 C E7 |"


def voiced(text: str, meter: tuple[int, int] = (4, 4), bpm: float = 90.0, broken: bool = False) -> Score:
    """Return a progression as notes, each chord above its bass, all at once or one after the other."""
    notes, beat, length = [], 0.0, 4 * meter[0] / meter[1]
    for bar in parse_progression(text).bars:
        for chord in bar:
            span = length / len(bar)
            pitches = [36 + chord.bass, *(60 + tone for tone in sorted(chord.tones))]
            for index, pitch in enumerate(pitches):
                late = index * span / len(pitches) if broken else 0.0
                seconds = (beat + late) * 60 / bpm, (span - late) * 60 / bpm
                notes.append(Note(pitch, 80, *seconds))
            beat += span
    return Score(tuple(notes), ((0.0, bpm),), ((0.0, *meter),))


@pytest.mark.parametrize("kind", RECOGNISED)
def test_every_kind_of_chord_is_recognised(kind: str) -> None:
    for root in ("C", "Eb", "F#"):
        chord = parse_chord(root + kind)
        weights = np.isin(np.arange(12), list(chord.tones)).astype(float)
        assert parse_chord(recognise(weights, chord.bass)[1]).tones == chord.tones
        assert parse_chord(recognise(weights, chord.bass)[1]).root == chord.root


@pytest.mark.parametrize("broken", [False, True])
def test_notes_bar_by_bar_and_half_bar_by_half_bar(broken: bool) -> None:
    text = "| C | Am7 F | Bb/D | G7 | Dm E7 |"
    score = Score.load(voiced(text, broken=broken).to_bytes())
    assert read_chords(score) == text
    assert read_chords(voiced("| D | G/B | A7 | F#m |", (3, 4))) == "| D | G/B | A7 | F#m |"
    assert read_chords(voiced("| Am Dm | E7 Am |", (6, 8))) == "| Am Dm | E7 Am |"


def test_a_pickup_has_no_chord() -> None:
    notes = [Note(67, 80, 0.0, 1.0)]
    notes += [Note(p, 80, 1.0, 4.0) for p in (48, 52, 55)] + [Note(p, 80, 5.0, 4.0) for p in (43, 47, 50, 53)]
    score = Score(tuple(notes), ((0.0, 60.0),), ((0.0, 1, 4), (1.0, 4, 4)))
    assert read_chords(score) == "| C | G7 |"


def test_markers_are_chords() -> None:
    progression = parse_progression(TEXT)
    score = Score((Note(60, 80, 0.0, 10.0),), ((0.0, 120.0),))
    written = replace(score, chords=progression.symbols(score))
    back = Score.load(written.to_bytes())
    assert back.markers == written.chords
    read = parse_progression(read_chords(back))
    for bar in range(5):
        for part in range(8):
            assert read.at(bar, part, 8).tones == progression.at(bar, part, 8).tones


def test_texts_are_markers_and_other_markers_are_not_chords(tmp_path: Path) -> None:
    track = mido.MidiTrack([
        mido.MetaMessage("text", text="a song"), mido.Message("note_on", note=60, velocity=80),
        mido.MetaMessage("text", text="F", time=960), mido.MetaMessage("cue_marker", text="G7", time=960),
        mido.Message("note_off", note=60, time=1920),
    ])  # fmt: skip
    mido.MidiFile(tracks=[track]).save(tmp_path / "a.mid")
    score = Score.load(tmp_path / "a.mid")
    assert score.text == "a song" and [text for _, text in score.markers] == ["F", "G7"]
    assert read_chords(score) == "| F | G7 |"
    verses = replace(voiced("| C | F |"), markers=((0.0, "Verse"), (1.0, "Chorus"), (2.0, "A")))
    assert read_chords(verses) == "| C | F |"


def test_bars_without_chords_repeat_the_one_before() -> None:
    score = voiced("| C | F | C | G |")
    rests = [note for note in score.notes if not 60 / 90 * 4 <= note.onset < 60 / 90 * 12]
    assert read_chords(replace(score, notes=tuple(rests))) == "| C | C | C | G |"


def test_sources(tmp_path: Path) -> None:
    score = voiced("| C | F |")
    score.save(tmp_path / "a.mid")
    assert load_chords(tmp_path / "a.mid") == load_chords(str(tmp_path / "a.mid")) == "| C | F |"
    assert load_chords(score) == "| C | F |" and load_chords("I IV") == "I IV"
    Score((Note(36, 80, 0.0, 1.0, drum=True),)).save(tmp_path / "drums.mid")
    with pytest.raises(DataError, match=r"drums.mid: has no chords; give a file with chords as notes"):
        load_chords(tmp_path / "drums.mid")
