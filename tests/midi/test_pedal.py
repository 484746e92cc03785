"""The sustain pedal is written, read, and holds notes as other programs hold them."""

from __future__ import annotations

import io

import mido
import numpy as np
import pretty_midi
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.midi import Note, Score
from audioseq.music.rendering.synth import synthesise

SCORE = Score(
    (Note(48, 80, 0.0, 0.25), Note(60, 80, 0.5, 0.25), Note(72, 70, 0.5, 0.25, track=1)),
    pedals=((0.125, 0, True), (1.5, 0, False)),
)


def test_files_have_the_pedal_of_its_track_as_controller_64() -> None:
    file = mido.MidiFile(file=io.BytesIO(SCORE.to_bytes()))
    found = [[m for m in track if m.type == "control_change"] for track in file.tracks]
    assert [[(m.control, m.value) for m in each] for each in found] == [[], [(64, 127), (64, 0)], []]
    played = pretty_midi.PrettyMIDI(io.BytesIO(SCORE.to_bytes()))
    changes = [(round(change.time, 4), change.value) for change in played.instruments[0].control_changes]
    assert changes == [(0.125, 127), (1.5, 0)]


def test_reading_keeps_the_pedal_or_what_it_holds() -> None:
    keys = Score.load(SCORE.to_bytes(), pedal=False)
    assert keys.pedals == SCORE.pedals and [note.end for note in keys.notes] == [0.25, 0.75, 0.75]
    held = Score.load(SCORE.to_bytes())
    assert held.pedals == () and [note.end for note in held.notes] == [1.5, 1.5, 0.75]


def test_the_synthesiser_holds_notes() -> None:
    with_pedal, without = (synthesise(each, 8000, reverb=False) for each in (SCORE, Score(SCORE.notes)))
    late = slice(int(1.0 * 8000), int(1.4 * 8000))
    assert np.abs(with_pedal[late]).max() > 0.01 > np.abs(without[late]).max()


times = st.integers(0, 32).map(lambda n: n / 8)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(60, 62), times, st.integers(1, 8), st.integers(0, 1)), min_size=1),
    st.lists(st.tuples(times, st.integers(0, 1), st.booleans()), max_size=8),
)
def test_sustained_notes_are_those_that_the_reader_holds(
    rows: list[tuple[int, float, int, int]], pedals: list[tuple[float, int, bool]]
) -> None:
    notes = tuple(Note(pitch, 80, onset, n / 8 - 1 / 48, track=track) for pitch, onset, n, track in rows)
    # In a file, what lifts comes before what puts down at the same time, so each time has one change here.
    changes = {(seconds, track): (seconds + 1 / 16, track, down) for seconds, track, down in pedals}
    ends = tuple((8.0, track, False) for track in (0, 1))
    score = Score.load(Score(notes, pedals=(*sorted(changes.values()), *ends)).to_bytes(), pedal=False)
    held = Score.load(score.to_bytes())
    assert np.allclose([n.end for n in score.sustained().notes], [n.end for n in held.notes], atol=2e-3)
