"""Primers: what the model reads, what the continuation may play, and the music of the user in the result."""

from __future__ import annotations

from dataclasses import replace

import mido
import numpy as np
import pytest

from audioseq.errors import DataError
from audioseq.midi import Note, Score
from audioseq.music.generation.primer import Primer, Setting, place_events, settings_of
from audioseq.music.pipeline import Composition, CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import to_grid
from tests.benchmarks.tunes import TUNES, to_score
from tests.music import tiny

PROGRAMS = {"pop": (0, 0, 0), "lied": (68, 0, 0), "quartet": (40, 40, 41, 42), "chorale": (52,) * 4}


def tune(
    *quarters: float, bpm: float = 120.0, program: int = 0, velocities: tuple[int, ...] = (80,)
) -> Score:
    """Return a scale in C major whose notes have these lengths."""
    onsets = np.cumsum([0.0, *quarters])
    steps = (60, 62, 64, 65, 67, 69, 71, 72)
    notes = tuple(
        Note(steps[i % 8], velocities[i % len(velocities)], onset * 60 / bpm, length * 60 / bpm, program)
        for i, (onset, length) in enumerate(zip(onsets.tolist(), quarters, strict=False))
    )
    return Score(notes, ((0.0, bpm),))


def continued(score: Score, with_primer: bool = True, bars: int = 3, **options: object) -> Composition:
    """Continue a score with a model of random weights."""
    wishes = CompositionOptions(bars=bars, **options)  # type: ignore[arg-type]
    return tiny.composer(scale=1.0).compose(1, options=wishes, primer=score, with_primer=with_primer)[0]


def new_notes(primer: Score, piece: Composition) -> list[Note]:
    """Return the notes after the primer, having checked that those of the primer are unchanged."""
    saved = Score.load(piece.score.to_bytes())
    notes = [note for note in saved.notes if note.onset < primer.end - 1e-6]
    assert [(n.pitch, n.velocity, n.program, n.track) for n in notes] == [
        (n.pitch, n.velocity, n.program, n.track) for n in primer.notes
    ]
    assert np.allclose([(n.onset, n.end) for n in notes], [(n.onset, n.end) for n in primer.notes], atol=1e-9)
    return [note for note in saved.notes if note.onset >= primer.end - 1e-6]


@pytest.mark.parametrize("each", TUNES, ids=lambda each: each.name)
def test_key_of_plain_tunes(each: object) -> None:
    assert Primer(to_score(each)).key == (each.tonic, each.minor)  # type: ignore[attr-defined, arg-type]


def test_a_pause_on_the_second_degree_does_not_change_the_key() -> None:
    pitches = (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62)
    notes = tuple(Note(pitch, 80, n / 2, 0.5) for n, pitch in enumerate(pitches))
    assert Primer(Score(notes)).key == (0, False)


@pytest.mark.parametrize("ticks_per_beat", [96, 220, 480, 1024])
@pytest.mark.parametrize("lengths", [(2 / 3, 1 / 3) * 8, (1 / 5,) * 15 + (1.0,), (0.93, 1.07) * 6])
def test_primer_is_unchanged_to_the_tick(lengths: tuple[float, ...], ticks_per_beat: int) -> None:
    """Swing, quintuplets and human timing, in files of several resolutions."""
    written = replace(tune(*lengths, velocities=(80, 47, 101)), ticks_per_beat=ticks_per_beat)
    score = Score.load(written.to_bytes())
    assert new_notes(score, continued(score))
    before, after = (mido.MidiFile(file=_file(each)) for each in (score, continued(score).score))
    assert after.ticks_per_beat % before.ticks_per_beat == 0
    factor = after.ticks_per_beat // before.ticks_per_beat
    ons = [_note_ons(file) for file in (before, after)]
    assert [(tick * factor, *rest) for tick, *rest in ons[0]] == ons[1][: len(ons[0])]


def _file(score: Score) -> object:
    import io

    return io.BytesIO(score.to_bytes())


def _note_ons(file: mido.MidiFile) -> list[tuple[int, int, int]]:
    found = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                found.append((tick, message.note, message.velocity))
    return sorted(found)


def test_a_melody_goes_on_alone_in_its_register_and_instrument() -> None:
    score = tune(*[1.0] * 16, program=73, velocities=(90,))
    new = new_notes(score, continued(score, bars=8))
    assert len(new) > 2
    assert {(note.program, note.track, note.velocity) for note in new} == {(73, 0, 90)}
    assert all(55 <= note.pitch <= 77 for note in new)
    onsets = [note.onset for note in new]
    assert len(set(onsets)) == len(onsets)


def test_style_joins_the_other_instruments() -> None:
    score = tune(*[1.0] * 16, program=73)
    piece = continued(score, style="quartet", bars=6)
    assert piece.style == "quartet"
    assert {note.program for note in new_notes(score, piece)} > {73}


def test_changes_of_tempo_and_meter_go_on() -> None:
    notes = tuple(Note(60 + n % 5, 80, n / 2, 0.5) for n in range(24))
    score = Score(notes, ((0.0, 120.0), (4.0, 60.0)), ((0.0, 4, 4), (4.0, 3, 4)))
    piece = continued(score, bars=4)
    new_notes(score, piece)
    assert piece.tempo == 60.0
    assert piece.score.tempos == score.tempos and piece.score.time_signatures == score.time_signatures
    grid = to_grid(piece.score)
    assert grid.meters[2:6] == (1,) * 4
    alone = continued(score, with_primer=False, bars=4).score
    assert alone.tempos == ((0.0, 60.0),) and alone.time_signatures == ((0.0, 3, 4),)
    assert 0 <= alone.notes[0].onset < 3.0


def test_tempo_can_be_requested() -> None:
    score = tune(*[1.0] * 8)
    piece = continued(score, tempo=90)
    assert piece.score.tempos == ((0.0, 120.0), (4.0, 90.0))
    new_notes(score, piece)


def test_slowing_down_in_the_last_bar_is_not_the_tempo() -> None:
    score = Score(tune(*[1.0] * 15).notes, ((0.0, 120.0), (6.5, 60.0)))
    assert Primer(score).bpm == 120.0


def test_settings() -> None:
    melody = Primer(tune(*[1.0] * 8))
    single = settings_of(melody, PROGRAMS)
    assert {v.STYLES[each.style] for each in single} == {"pop", "lied", "quartet"}
    bass = tuple(Note(40, 80, n / 2, 0.5, 33, track=1) for n in range(8))
    both = settings_of(Primer(Score(tune(*[1.0] * 8).notes + bass)), PROGRAMS)
    assert all(each.places[0] < each.places[1] for each in both)
    chords = Primer(Score(tuple(Note(p, 80, n, 1.0) for n in range(4) for p in (48, 55, 64, 72))))
    assert all(
        PROGRAMS[v.STYLES[each.style]][each.places[0][0]] == 0 for each in settings_of(chords, PROGRAMS)
    )
    split = next(each for each in settings_of(chords, PROGRAMS) if each.places[0][0] != each.places[0][1])
    events = place_events(chords, split)
    assert {(event[v.TRACK], event[v.PITCH] >= 60) for event in events if event[v.PITCH] >= 0} == {
        (split.places[0][0], True), (split.places[0][1], False)
    }  # fmt: skip
    many = Score(tuple(Note(50 + n, 80, n / 2, 0.5, 10 * n, track=n) for n in range(7)))
    assert {each.programs for each in settings_of(Primer(many), PROGRAMS)} == {(42,) * 5 + (68,) * 2}
    assert Setting(0, (0, 0), ((1, 1),)).origin(0) is None


def test_a_pedal_does_not_make_a_melody_polyphonic() -> None:
    held = tuple(replace(note, duration=4.0 - note.onset % 4.0) for note in tune(*[1.0] * 8).notes)
    assert [note.duration for note in Primer(Score(held)).piece.notes][:7] == [24] * 7


def test_drums_alone_are_refused() -> None:
    with pytest.raises(DataError, match="only drums"):
        continued(Score((Note(36, 80, 0.0, 0.5, drum=True),)))


def test_drums_beside_notes_are_kept() -> None:
    score = tune(*[1.0] * 8)
    beat = Note(36, 80, 0.0, 0.5, drum=True, track=1)
    piece = continued(replace(score, notes=(*score.notes, beat)))
    assert [note for note in piece.score.notes if note.drum] == [beat]
