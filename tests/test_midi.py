"""MIDI input and output, compared with mido and pretty_midi."""

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
    """Return the content of a file with one track of these messages; their times are deltas in ticks."""
    buffer = io.BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[mido.MidiTrack(messages)]).save(file=buffer)
    return buffer.getvalue()


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 64) -> mido.Message:
    return mido.Message("note_on", note=pitch, time=time, channel=channel, velocity=velocity)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def spans(score: Score) -> list[tuple[int, float, float]]:
    """Return pitch, onset (ms) and end (ms) of each note."""
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
def test_written_notes_of_equal_pitch_do_not_overlap(score: Score) -> None:
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
def test_written_files_round_trip(score: Score) -> None:
    content = score.to_bytes()
    again = Score.load(content)
    assert again.to_bytes() == content
    key = ("pitch", "velocity", "program", "drum")
    expected, actual = (
        Counter(tuple(getattr(note, name) for name in key) for note in piece.notes)
        for piece in (score, again)
    )
    if max(Counter((note.pitch, note.track, note.program) for note in score.notes).values()) == 1:
        assert expected == actual


@given(scores)
@settings(deadline=None, max_examples=30)
def test_times_round_trip_within_a_tick(score: Score) -> None:
    pitches: dict[int, Note] = {note.pitch: note for note in score.notes}  # one per pitch: no overlaps
    score = Score(tuple(pitches.values()), score.tempos)
    tick = 60 / min(bpm for _, bpm in score.tempos) / TICKS_PER_BEAT
    for note in Score.load(score.to_bytes()).notes:
        before = pitches[note.pitch]
        assert note.onset == pytest.approx(before.onset, abs=tick)
        assert note.end == pytest.approx(before.end, abs=2 * tick)


def test_thousands_of_instruments_are_written(tmp_path: Path) -> None:
    voices = [(program, track) for track in range(40) for program in range(128)]
    score = Score(tuple(Note(60, 80, 0.0, 1.0, program, False, track) for program, track in voices))
    again = mido.MidiFile(file=io.BytesIO(score.to_bytes()))
    assert len(again.tracks) == 1 + len(voices)


@pytest.mark.parametrize("name", ["a\0.mid", "a\ud800.mid"])
def test_an_impossible_file_name_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(MidiError, match="cannot be read"):
        Score.load(tmp_path / name)


@given(scores)
@settings(deadline=None, max_examples=30)
def test_notes_equal_those_of_pretty_midi(score: Score) -> None:
    content = score.to_bytes()
    reference = pretty_midi.PrettyMIDI(io.BytesIO(content))
    expected = sorted(
        (note.pitch, note.velocity, instrument.program, instrument.is_drum, note.start, note.end)
        for instrument in reference.instruments
        for note in instrument.notes
    )
    actual = sorted(
        (note.pitch, note.velocity, note.program, note.drum, note.onset, note.end)
        for note in Score.load(content).notes
    )
    assert [note[:4] for note in actual] == [note[:4] for note in expected]
    assert np.allclose([note[4:] for note in actual], [note[4:] for note in expected], atol=1e-6)


@given(scores, st.lists(st.floats(0, 100), min_size=1))
@settings(deadline=None, max_examples=30)
def test_beats_and_seconds_are_inverses(score: Score, seconds: list[float]) -> None:
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
    held = Note(60, 64, 0.0, 13.5)  # a change after its end does not shorten the last bar
    assert Score((held,), ((0.0, 60.0),), ((0.0, 7, 4), (14.0, 2, 4))).bars().tolist() == [0, 7, 14]


def test_signatures_names_text_and_tempos_round_trip(tmp_path: Path) -> None:
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


def test_sustain_pedal_extends_notes_until_it_is_lifted() -> None:
    def pedal(value: int, time: int = 0) -> mido.Message:
        return mido.Message("control_change", control=64, value=value, time=time)

    content = events(pedal(127), on(60), off(60, 100), on(62), off(62, 100), pedal(0, 760), ticks=480)
    assert spans(Score.load(content)) == [(60, 0, 1000), (62, round(100 / 0.96, 3), 1000)]
    repeated = events(pedal(64), on(60), off(60, 96), on(60, 96), off(60, 96), pedal(63, 192))
    assert spans(Score.load(repeated)) == [(60, 0, 200), (60, 200, 500)]


def test_stuck_sustain_pedal_is_ignored() -> None:
    pedal = mido.Message("control_change", control=64, value=127)
    lifted = mido.Message("control_change", control=64, value=0, time=33 * 480)
    assert spans(Score.load(events(pedal, on(60), off(60, 480), lifted))) == [(60, 0, 500)]


def test_overlaps_and_unisons_are_resolved() -> None:
    overlap = events(on(60), on(60, 480), off(60, 480), off(60, 480))
    assert spans(Score.load(overlap)) == [(60, 0, 500), (60, 500, 1500)]
    unison = events(on(60), on(60), off(60, 480), off(60, 480))
    assert spans(Score.load(unison)) == [(60, 0, 1000)]
    one_off = events(on(60), on(60, 480), off(60, 480), on(61, 4800), off(61, 480))
    assert spans(Score.load(one_off))[:2] == [(60, 0, 500), (60, 500, 1000)]
    later = events(on(60), on(60), off(60, 480), on(60, 480), off(60, 480))
    assert spans(Score.load(later)) == [(60, 0, 500), (60, 1000, 1500)]


def test_running_status_type_0_and_missing_note_off() -> None:
    track = bytes.fromhex("00903c40 833c3c00 004040 833c3e40 00ff2f00".replace(" ", ""))
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    score = Score.load(header + b"MTrk" + struct.pack(">I", len(track)) + track)
    assert [note.pitch for note in score.notes] == [60, 64, 62]
    # 444 ticks = 0.4625 s; 62 has no note-off and gets the minimum duration.
    assert spans(score)[:2] == [(60, 0, 462.5), (64, 462.5, 925)]


def test_channels_of_one_track_become_separate_tracks() -> None:
    program = mido.Message("program_change", channel=1, program=40)
    content = events(
        program, on(60), on(60, channel=1), on(36, channel=9), off(60, 480), off(60, 0, 1), kind=0
    )
    voices = {(note.track, note.program, note.drum) for note in Score.load(content).notes}
    assert voices == {(0, 0, False), (1, 40, False), (2, 0, True)}


def test_200_tracks_stay_separate() -> None:
    score = Score(
        tuple(Note(60, 64, 0.0, 1.0, program=n % 128, drum=n % 50 == 0, track=n) for n in range(200))
    )
    again = Score.load(score.to_bytes())
    assert len(again.notes) == 200 and len({note.track for note in again.notes}) == 200
    channels = [
        (next((m.port for m in track if m.type == "midi_port"), 0), m.channel)
        for track in mido.MidiFile(file=io.BytesIO(score.to_bytes())).tracks
        for m in track
        if m.type == "note_on"
    ]
    assert len(set(channels)) == 200


def test_equal_scores_give_equal_bytes() -> None:
    score = Score(tuple(Note(60 + n, 64, n / 3, 0.3) for n in range(9)), text="one")
    assert score.to_bytes() == Score(score.notes[::-1], text="one").to_bytes()


def load_error(content: bytes | Path) -> str:
    """Return the one-line message of the error when loading a score."""
    with pytest.raises(MidiError) as caught:
        Score.load(content)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unreadable_files_give_a_one_line_message(tmp_path: Path) -> None:
    good = events(on(60), off(60, 480))
    assert "is not a MIDI file" in load_error(b"RIFF, some other file")
    assert "is not a MIDI file" in load_error(b"")
    assert "cannot be read" in load_error(tmp_path / "none.mid")
    assert "cannot be read" in load_error(tmp_path)
    for size in (5, 13, 20, 25):
        assert "truncated" in load_error(good[:size])
    assert "has no notes" in load_error(events())
    assert "10.0 hours" in load_error(events(on(60), off(60, 480 * 2 * 36000)))
    assert "is damaged" in load_error(good.replace(b"MTrk", b"MTrx"))
    assert "MiB" in load_error(b"MThd" + bytes(9 * 2**20))
    assert "type 2" in load_error(smf(MELODY, MELODY, kind=2))
    assert "SMPTE" in load_error(good[:12] + b"\xe7\x28" + good[14:])
    assert "0 ticks per quarter note" in load_error(smf(MELODY, division=0))
    assert "more than 1024 tracks" in load_error(smf(*[MELODY] * 1025))
    signature = b"\x00\xff\x58\x04\x01\x07\x18\x08"  # 1/128
    long = signature + b"\x00\xff\x51\x03\x00\x20\x00\x00\x90\x3c\x40\x8f\xff\xff\x7f\x80\x3c\x00"
    assert "more than 100000 bars" in load_error(smf(long, division=32))
    (tmp_path / "no.mid").write_bytes(b"no")
    assert load_error(tmp_path / "no.mid").startswith(f"{tmp_path / 'no.mid'}: ")


GOOD = Score(
    (Note(60, 64, 0.0, 1.0), Note(64, 64, 1.0, 1.0), Note(36, 90, 1.0, 0.5, drum=True, track=1)),
    tempos=((0.0, 100.0), (1.2, 50.0)),
    keys=((0.0, "F#m"),),
    names=("melody", "drums"),
).to_bytes()
MELODY = bytes.fromhex("00903c50 8360803c40 00903e50 8360803e40 00ff2f00".replace(" ", ""))
"""Events of a track with two notes, half a second each."""
NOTES = [(60, 0, 500), (62, 500, 1000)]


def check_bounds(content: bytes) -> None:
    """Check that a file gives a score within bounds, or an error of one line."""
    with suppress(MidiError):
        score = Score.load(content)
        assert score.notes and score.end <= 4 * 3600 and len(score.bars()) <= 100_001
        assert sum("\n" not in warning for warning in score.warnings) <= 1
        assert Score.load(score.to_bytes()).notes


@given(st.binary(max_size=200), st.integers(0, 100))
@settings(deadline=None)
def test_damaged_files_raise_only_midi_errors(noise: bytes, position: int) -> None:
    position = min(position, len(GOOD))
    check_bounds(GOOD[:position] + noise + GOOD[position + len(noise) :])


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=12),
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 9), st.binary(max_size=4)), max_size=2),
)
@settings(deadline=None, max_examples=300)
def test_mutated_files_are_read_within_bounds_or_refused(
    changes: list[tuple[int, int]], edits: list[tuple[int, int, bytes]]
) -> None:
    content = bytearray(GOOD)
    for position, byte in changes:
        content[position] = byte
    for position, removed, inserted in edits:
        content[position : position + removed] = inserted
    check_bounds(bytes(content))


def smf(*tracks: bytes, count: int | None = None, kind: int = 1, division: int = 480) -> bytes:
    """Return the content of a file with these tracks; `count` is the number of tracks in its header."""
    header = struct.pack(">IHHH", 6, kind, len(tracks) if count is None else count, division)
    return b"MThd" + header + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def meta(kind: int, value: bytes) -> bytes:
    """Return the events of a track that begins with a meta event."""
    return b"\x00\xff" + bytes((kind, len(value))) + value + MELODY


def riff(content: bytes) -> bytes:
    """Return a file within RIFF."""
    return (
        b"RIFF"
        + struct.pack("<I", len(content) + 12)
        + b"RMIDdata"
        + struct.pack("<I", len(content))
        + content
    )


def resized(length: int) -> bytes:
    """Return a file of two tracks, of which the first has a wrong length."""
    content = smf(MELODY, meta(0x03, b"second"))
    return content[:18] + struct.pack(">I", length) + content[22:]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (smf(MELODY.replace(b"\x3c\x50", b"\x3c\xd0")), "data bytes above 127"),
        (smf(b"\x00\xb0\x07\xff" + MELODY), "data bytes above 127"),
        (smf(meta(0x59, b"\x09\x00")), "key signature"),
        (smf(meta(0x59, b"\x01")), "key signature"),
        (smf(meta(0x58, b"\x04\x02")), "time signature"),
        (smf(meta(0x58, b"\x00\x02\x18\x08")), "time signature"),
        (smf(meta(0x58, b"\x02\x21\x18\x08")), "time signature"),
        (smf(meta(0x51, b"")), "tempo"),
        (smf(meta(0x51, b"\x00\x00\x01")), "tempo"),
        (smf(meta(0x54, b"\xff" * 5)), None),
        (smf(meta(0x20, b"")), None),
        (smf(meta(0x00, b"")), None),
        (smf(b"\x00\xf0\x08\x50\x53\x00\x00\xff\x04\x01\xf7" + MELODY), None),
        (smf(b"\x00\xf4" + MELODY), "events that a file cannot have"),
        (smf(MELODY, count=5), "wrong number of tracks"),
        (smf(meta(0x03, b"a")[:5] + b"\x00\xff\x2f\x00", MELODY, count=1), "wrong number of tracks"),
        (smf(MELODY, kind=2), None),
        (smf(MELODY, kind=7), "unknown type 7"),
        (smf(MELODY[:-4]), None),
        (smf(MELODY)[:-4], "truncated"),
        (smf(MELODY)[:14] + b"XFIH\x00\x00\x00\x03abc" + smf(MELODY)[14:], None),
        (smf(MELODY) + bytes(40), None),
        (smf(MELODY) + smf(MELODY), None),
        (smf(MELODY)[:18] + b"\xff\xff\xff\xff" + MELODY, "wrong track length"),
        (smf(MELODY)[:18] + bytes(4) + MELODY, "wrong track length"),
        (smf(MELODY + b"\x00" * 9), None),
        (riff(smf(MELODY)), None),
        (b"\r\n" + smf(MELODY), "2 bytes before the header"),
        (bytes(128) + smf(MELODY) + bytes(16), "128 bytes before the header"),
        (smf(b"\x00" + MELODY[2:]), "data without an event"),
        (smf(MELODY[:-4] + b"\xff" * 40), "unreadable from some event on"),
        (smf(meta(0x01, b"a")[:3] + b"\x84\x80\x00" + b"a" * 65536 + MELODY), None),
    ],
)  # fmt: skip
def test_imperfect_files_are_read_with_one_warning(content: bytes, fault: str | None) -> None:
    score = Score.load(content)
    assert spans(score) == NOTES
    assert len(score.warnings) == (fault is not None)
    if fault is not None:
        assert fault in score.warnings[0] and score.warnings[0].startswith("MIDI data: is damaged")
    assert score.time_signatures == ((0.0, 4, 4),) and len(score.tempos) == 1 and not score.keys


@pytest.mark.parametrize("length", [0, 5, len(MELODY) - 1, len(MELODY) + 3, 2**31])
def test_tracks_with_a_wrong_length_are_read_up_to_their_end_event(length: int) -> None:
    score = Score.load(resized(length))
    assert len(score.notes) == 4 and score.names == ("", "second")
    assert "wrong track length" in score.warnings[0]


def test_a_truncated_file_is_read_up_to_its_end() -> None:
    score = Score.load(smf(MELODY)[:-9])
    assert [note.pitch for note in score.notes] == [60, 62] and "truncated" in score.warnings[0]


def test_controllers_end_notes() -> None:
    def control(number: int, value: int = 0, time: int = 0) -> mido.Message:
        return mido.Message("control_change", control=number, value=value, time=time)

    for number in (120, 123, 124, 127):
        content = events(on(60), control(number, time=480), on(62, 480), off(62, 480))
        assert spans(Score.load(content)) == [(60, 0, 500), (62, 1000, 1500)]
    with_pedal = (control(64, 127), on(60), control(123, time=480), control(64, time=480))
    assert spans(Score.load(events(*with_pedal))) == [(60, 0, 1000)]
    assert spans(Score.load(events(*with_pedal), pedal=False)) == [(60, 0, 500)]
    for number in (120, 121):  # these also lift the pedal
        content = events(control(64, 127), on(60), off(60, 240), control(number, time=240), on(62, 480))
        assert spans(Score.load(content))[0] == (60, 0, 500)


def test_notes_without_a_note_off_end_at_the_next_onset() -> None:
    content = events(on(60), on(64), on(62, 480), on(65, 9600), on(67, 0, 1), on(69, 480, 1))
    assert spans(Score.load(content))[:4] == [(60, 0, 500), (64, 0, 500), (62, 500, 2500), (65, 10500, 11000)]


@pytest.mark.parametrize(
    "event",
    [b"\x00\x90\x3c\x40\x01\x3c\x40", b"\x00\xc0\x01\x00\x02", b"\x01\xff\x51\x03\x07\xa1\x20", b"\xff"],
    ids=["notes without end", "programs", "tempos", "0xFF"],
)
def test_many_events_are_read_in_linear_time(event: bytes) -> None:
    check_bounds(smf(b"\x00\x90\x3c\x40" + event * 5000))


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
def test_invalid_notes_are_not_written(note: Note) -> None:
    with pytest.raises(MidiError, match="cannot be written"):
        Score((note,)).to_bytes()


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        Score((Note(60, 64, 0, 1),)).save(tmp_path / "none" / "a.mid")
