"""MIDI in and out, against mido and pretty_midi, which know nothing of our notes."""

from __future__ import annotations

import io
import struct
from collections import Counter
from contextlib import suppress
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import FileError, MidiError
from audioseq.midi import Note, Score
from audioseq.midi.write import TICKS_PER_BEAT


def events(*messages: mido.Message | mido.MetaMessage, kind: int = 1, ticks: int = 480) -> bytes:
    """Return the content of a file with one track of these messages; their times are since the one before."""
    buffer = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[mido.MidiTrack(messages)]).save(file=buffer)
    return buffer.getvalue()


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 64) -> mido.Message:
    return mido.Message("note_on", note=pitch, time=time, channel=channel, velocity=velocity)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def spans(score: Score) -> list[tuple[int, float, float]]:
    """Return pitch, onset and end, in ms."""
    return [(note.pitch, round(1000 * note.onset, 3), round(1000 * note.end, 3)) for note in score.notes]


notes = st.builds(
    Note,
    pitch=st.integers(0, 127),
    velocity=st.integers(1, 127),
    onset=st.floats(0, 60),
    duration=st.floats(0.001, 20),
    program=st.integers(0, 127),
    drum=st.booleans(),
    track=st.integers(0, 40),
)
scores = st.builds(
    Score,
    notes=st.lists(notes, min_size=1, max_size=20).map(tuple),
    tempos=st.lists(st.tuples(st.floats(0, 60), st.floats(10, 400)), min_size=1, max_size=5).map(
        lambda tempos: tuple(sorted(tempos))
    ),
)


@given(scores)
@settings(deadline=None, max_examples=30)
def test_every_note_that_is_written_ends_before_its_pitch_is_struck_again(score: Score) -> None:
    file = mido.MidiFile(file=io.BytesIO(score.to_bytes()))
    for track in file.tracks:
        sounding: dict[tuple[int, int], int] = {}
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on":
                assert (message.channel, message.note) not in sounding
                sounding[message.channel, message.note] = tick
            elif message.type == "note_off":
                assert sounding.pop((message.channel, message.note)) < tick
        assert not sounding


@given(scores)
@settings(deadline=None, max_examples=30)
def test_what_was_written_once_comes_back_as_it_is(score: Score) -> None:
    content = score.to_bytes()
    again = Score.load(content)
    assert again.to_bytes() == content
    key = ("pitch", "velocity", "program", "drum")
    wanted, got = (
        Counter(tuple(getattr(note, name) for name in key) for note in piece.notes)
        for piece in (score, again)
    )
    if max(Counter((note.pitch, note.track, note.program) for note in score.notes).values()) == 1:
        assert wanted == got


@given(scores)
@settings(deadline=None, max_examples=30)
def test_times_come_back_within_a_tick(score: Score) -> None:
    pitches: dict[int, Note] = {note.pitch: note for note in score.notes}  # one a pitch: nothing is cut
    score = Score(tuple(pitches.values()), score.tempos)
    tick = 60 / min(bpm for _, bpm in score.tempos) / TICKS_PER_BEAT
    for note in Score.load(score.to_bytes()).notes:
        before = pitches[note.pitch]
        assert note.onset == pytest.approx(before.onset, abs=tick)
        assert note.end == pytest.approx(before.end, abs=2 * tick)


@given(scores)
@settings(deadline=None, max_examples=30)
def test_pretty_midi_hears_the_same(score: Score) -> None:
    content = score.to_bytes()
    theirs = pretty_midi.PrettyMIDI(io.BytesIO(content))
    heard = sorted(
        (note.pitch, note.velocity, instrument.program, instrument.is_drum, note.start, note.end)
        for instrument in theirs.instruments
        for note in instrument.notes
    )
    ours = sorted(
        (note.pitch, note.velocity, note.program, note.drum, note.onset, note.end)
        for note in Score.load(content).notes
    )
    assert [note[:4] for note in ours] == [note[:4] for note in heard]
    assert np.allclose([note[4:] for note in ours], [note[4:] for note in heard], atol=1e-6)


@given(scores, st.lists(st.floats(0, 100), min_size=1))
@settings(deadline=None, max_examples=30)
def test_beats_and_seconds_are_inverse(score: Score, seconds: list[float]) -> None:
    assert np.allclose(score.seconds(score.beats(seconds)), seconds, atol=1e-6)
    assert score.beats(seconds[0]) == score.beats(seconds)[0]


def test_beats_follow_the_tempo() -> None:
    score = Score((), tempos=((0.0, 60.0), (2.0, 120.0), (3.0, 30.0)))
    assert score.beats([0, 1, 2, 2.5, 3, 5]).tolist() == [0, 1, 2, 3, 4, 5]
    assert Score((), tempos=((1.0, 60.0),)).beats(2.0) == 2.0


def test_bars_follow_the_time_signatures() -> None:
    long = (Note(60, 64, 0.0, 9.9),)
    assert Score(long).bars().tolist() == [0, 2, 4, 6, 8, 10]
    upbeat = Score(long, ((0.0, 60.0),), ((0.0, 1, 4), (1.0, 3, 4), (7.0, 4, 4)))
    assert upbeat.bars().tolist() == [0, 1, 4, 7, 11]
    assert Score(long, ((0.0, 60.0),), ((0.0, 4, 4), (6.0, 2, 4))).bars().tolist() == [0, 4, 6, 8, 10]
    assert Score((Note(60, 64, 0.0, 4.0),)).bars().tolist() == [0, 2, 4]


def test_signatures_names_text_and_tempos_come_back(tmp_path: Path) -> None:
    score = Score(
        (Note(60, 64, 0.0, 0.5, track=0), Note(36, 90, 1.0, 0.25, drum=True, track=1)),
        tempos=((0.0, 100.0), (1.2, 50.0)),
        time_signatures=((0.0, 3, 4), (1.8, 6, 8)),
        keys=((0.0, "F#m"),),
        names=("Žalm", ""),
        text="made with seed 7",
    )
    score.save(tmp_path / "a.mid")
    again = Score.load(tmp_path / "a.mid")
    assert again.names == score.names and again.text == score.text and again.keys == score.keys
    assert np.allclose(again.time_signatures, score.time_signatures, atol=1e-3)
    assert np.allclose(again.tempos, score.tempos, atol=1e-3)
    assert [note.drum for note in again.notes] == [False, True]


def test_the_pedal_holds_notes_until_it_is_lifted() -> None:
    def pedal(value: int, time: int = 0) -> mido.Message:
        return mido.Message("control_change", control=64, value=value, time=time)

    content = events(pedal(127), on(60), off(60, 100), on(62), off(62, 100), pedal(0, 760), ticks=480)
    assert spans(Score.load(content)) == [(60, 0, 1000), (62, round(100 / 0.96, 3), 1000)]
    struck_again = events(pedal(64), on(60), off(60, 96), on(60, 96), off(60, 96), pedal(63, 192))
    assert spans(Score.load(struck_again)) == [(60, 0, 200), (60, 200, 500)]


def test_a_pedal_that_is_never_lifted_holds_nothing() -> None:
    pedal = mido.Message("control_change", control=64, value=127)
    lifted = mido.Message("control_change", control=64, value=0, time=33 * 480)
    assert spans(Score.load(events(pedal, on(60), off(60, 480), lifted))) == [(60, 0, 500)]


def test_overlaps_and_unisons_are_untangled() -> None:
    overlap = events(on(60), on(60, 480), off(60, 480), off(60, 480))
    assert spans(Score.load(overlap)) == [(60, 0, 500), (60, 500, 1500)]
    unison = events(on(60), on(60), off(60, 480), off(60, 480))
    assert spans(Score.load(unison)) == [(60, 0, 1000)]
    one_off = events(on(60), on(60, 480), off(60, 480), on(61, 4800), off(61, 480))
    assert spans(Score.load(one_off))[:2] == [(60, 0, 500), (60, 500, 1000)]
    later = events(on(60), on(60), off(60, 480), on(60, 480), off(60, 480))
    assert spans(Score.load(later)) == [(60, 0, 500), (60, 1000, 1500)]


def test_running_status_type_0_and_notes_never_released() -> None:
    track = bytes.fromhex("00903c40 833c3c00 004040 833c3e40 00ff2f00".replace(" ", ""))
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    score = Score.load(header + b"MTrk" + struct.pack(">I", len(track)) + track)
    assert [note.pitch for note in score.notes] == [60, 64, 62]
    # 444 ticks = 0.4625 s; 62 is never let go, and gets the shortest there is.
    assert spans(score)[:2] == [(60, 0, 462.5), (64, 462.5, 925)]


def test_channels_of_one_track_are_voices_of_their_own() -> None:
    program = mido.Message("program_change", channel=1, program=40)
    content = events(
        program, on(60), on(60, channel=1), on(36, channel=9), off(60, 480), off(60, 0, 1), kind=0
    )
    voices = {(note.track, note.program, note.drum) for note in Score.load(content).notes}
    assert voices == {(0, 0, False), (1, 40, False), (2, 0, True)}


def test_200_tracks_keep_apart() -> None:
    score = Score(
        tuple(Note(60, 64, 0.0, 1.0, program=n % 128, drum=n % 50 == 0, track=n) for n in range(200))
    )
    again = Score.load(score.to_bytes())
    assert len(again.notes) == 200 and len({note.track for note in again.notes}) == 200
    places = [
        (next((m.port for m in track if m.type == "midi_port"), 0), m.channel)
        for track in mido.MidiFile(file=io.BytesIO(score.to_bytes())).tracks
        for m in track
        if m.type == "note_on"
    ]
    assert len(set(places)) == 200


def test_equal_scores_give_equal_bytes() -> None:
    score = Score(tuple(Note(60 + n, 64, n / 3, 0.3) for n in range(9)), text="one")
    assert score.to_bytes() == Score(score.notes[::-1], text="one").to_bytes()


def complaint(content: bytes | Path) -> str:
    with pytest.raises(MidiError) as caught:
        Score.load(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    good = events(on(60), off(60, 480))
    assert "is not a MIDI file" in complaint(b"RIFF, some other file")
    assert "is not a MIDI file" in complaint(b"")
    assert "cannot be read" in complaint(tmp_path / "none.mid")
    assert "cannot be read" in complaint(tmp_path)
    for size in (5, 13, 20, len(good) - 5):
        assert "is cut off" in complaint(good[:size])
    assert "has no notes" in complaint(events())
    assert "10.0 hours" in complaint(events(on(60), off(60, 480 * 2 * 36000)))
    assert "is damaged" in complaint(good.replace(b"MTrk", b"MTrx"))
    assert "MiB" in complaint(b"MThd" + bytes(9 * 2**20))
    assert "type 2" in complaint(good[:9] + b"\x02" + good[10:])
    assert "film frames" in complaint(good[:12] + b"\xe7\x28" + good[14:])
    (tmp_path / "no.mid").write_bytes(b"no")
    assert complaint(tmp_path / "no.mid").startswith(f"{tmp_path / 'no.mid'}: ")


@given(st.binary(max_size=200), st.integers(0, 100))
@settings(deadline=None)
def test_damage_never_gives_anything_but_the_one_error(noise: bytes, at: int) -> None:
    good = Score((Note(60, 64, 0.0, 1.0), Note(64, 64, 1.0, 1.0))).to_bytes()
    at = min(at, len(good))
    with suppress(MidiError):
        assert Score.load(good[:at] + noise + good[at + len(noise) :]).notes


@pytest.mark.parametrize(
    "note",
    [
        Note(128, 64, 0, 1),
        Note(60, 0, 0, 1),
        Note(60, 64, -1, 1),
        Note(60, 64, 0, 0),
        Note(60, 64, float("nan"), 1),
    ],
)
def test_impossible_notes_are_not_written(note: Note) -> None:
    with pytest.raises(MidiError, match="cannot be written"):
        Score((note,)).to_bytes()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        Score((Note(60, 64, 0, 1),)).save(tmp_path / "none" / "a.mid")
