"""Inputs of bug reports of this and other programs: each gives what the tables say.

`data/cases` holds the files that cannot be made here: a telephone recording (GSM 6.10), recordings of a phone
and a browser, and MIDI files. The other recordings are made from `assets/hello.flac`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.cli.main import run
from audioseq.errors import MidiError
from audioseq.midi import Score
from audioseq.models import bundled_dir

Captured = pytest.CaptureFixture[str]
CASES = Path(__file__).parent / "data" / "cases"
HELLO = Path(__file__).parents[1] / "assets" / "hello.flac"
TEXT = "she opened the window and listened to the rain falling on the old stone"

needs_the_models = pytest.mark.skipif(
    not (bundled_dir() / "english-small.safetensors").is_file(),
    reason="the bundled models are not in this checkout",
)


def make_recordings(folder: Path) -> None:
    """Write the recordings of the table."""
    flac = HELLO.read_bytes()
    samples, rate = sf.read(HELLO, dtype="int16")
    wav = folder / "trunc.wav"
    sf.write(wav, samples, rate)
    content = wav.read_bytes()
    at = content.index(b"data") + 4
    (folder / "data0.wav").write_bytes(content[:at] + bytes(4) + content[at + 4 :])
    wav.write_bytes(content[: 2 * len(content) // 3])
    (folder / "flac_trunc.flac").write_bytes(flac[:30_000])
    (folder / "flac_pipe.flac").write_bytes(flac[:21] + bytes([flac[21] & 0xF0]) + bytes(20) + flac[42:])
    sf.write(folder / "phase_inv.wav", np.stack([samples, -samples], axis=1), rate)
    sf.write(folder / "loud_f32.wav", samples / 2**15 * 50, rate, subtype="FLOAT")
    sf.write(folder / "quiet.wav", samples // 100, rate)
    (folder / "no_audio.wav").write_text("not a recording")
    for path in CASES.glob("*.*"):
        shutil.copy(path, folder)


RECORDINGS = {
    "gsm.wav": (TEXT, ""),
    "m4a.m4a": (TEXT, ""),
    "webm.webm": (TEXT, ""),
    "data0.wav": (TEXT, ""),
    "flac_pipe.flac": (TEXT, ""),
    "flac_trunc.flac": ("she opened the window", "truncated: the last 3.2"),
    "trunc.wav": ("she opened the window and listen", "truncated: the last 1.5"),
    "phase_inv.wav": (TEXT, "the channels cancel each other; channel 2 is inverted"),
    "loud_f32.wav": (TEXT, ""),
    "quiet.wav": (TEXT, "very quiet"),
    "no_audio.wav": (None, "is not audio"),
}
"""The beginning of the transcript, or None for an error, and the beginning of the warning or error."""


@needs_the_models
def test_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("clips").mkdir()
    make_recordings(Path("clips"))
    assert run(["transcribe", "clips", "-o", "out", "--lm", "none", "--raw", "-m", "english-small"]) == 1
    rows = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    found = {Path(row["path"]).name: row for row in rows}
    for name, (text, line) in RECORDINGS.items():
        row = found[name]
        if row["status"] == "left out":
            assert Path(name).suffix in audio.UNSUPPORTED_SUFFIXES, name
        elif text is None:
            assert row["status"] == "failed" and line in row["error"], name
        else:
            transcript = " ".join((Path("out") / row["output"]).read_text().split())
            assert transcript.startswith(text), name
            assert len(row["warnings"]) == bool(line) and "".join(row["warnings"]).startswith(line), name


FILES = {
    "empty.txt": "",
    "one.txt": "hello\n",
    "t_num.txt": "She opened the window - and listened (to the rain) falling on 3 old stone walls.",
    "no_duration.jsonl": '{"audio_filepath": "hello.flac"}',
    "ex.arpa": "\\data\\\nngram 1=4\nngram 2=2\n\n\\1-grams:\n-1.0\t<s>\t-0.3\n-0.7\t</s>\n-0.5\thello"
    "\t-0.2\n-99\t<unk>\n\n\\2-grams:\n-0.3\t<s> hello\n-0.2\thello </s>\n\n\\end\\\n",
}
COMMANDS = [
    ("transcribe no_duration.jsonl --lm none --raw", 0, TEXT, ""),
    ("transcribe hello.flac --lm ex.arpa --raw", 0, "hello", ""),
    ("align hello.flac t_num.txt -f srt", 0, "falling on 3 old stone", "such as '3'"),
    ("lm train one.txt -o one.safetensors", 0, "one.safetensors", "1 words"),
    ("lm evaluate one.safetensors empty.txt", 1, "", "error: empty.txt: has no words"),
    ("compose --seconds 4 --seed 1 -o tune.wav", 1, "", "error: tune.wav: is not the name of a MIDI"),
]
"""A command, its exit code, and parts of its stdout and stderr."""


@needs_the_models
def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(HELLO, tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content)
    for command, code, out, err in COMMANDS:
        assert run(command.split()) == code, command
        printed = capsys.readouterr()
        assert out in " ".join(printed.out.split()) and err in printed.err, command
    assert not Path("tune.wav").exists()


MIDI = {
    "all_sound_off.mid": (16, ""),
    "chprefix_bad.mid": (15, ""),
    "data_gt127.mid": (15, "data bytes above 127"),
    "div0.mid": (0, "is a MIDI file with 0 ticks per quarter note in its header"),
    "fmt0.mid": (15, ""),
    "fmt2_one_track.mid": (15, ""),
    "key_bad.mid": (15, "key signature"),
    "key_bad_len.mid": (15, "key signature"),
    "leading_junk.mid": (15, "2 bytes before the header"),
    "len_too_long.mid": (15, "wrong track length"),
    "no_off_at_all.mid": (15, ""),
    "ntracks_less.mid": (15, "wrong number of tracks"),
    "ntracks_more.mid": (15, "wrong number of tracks"),
    "pedal_per_bar.mid": (15, ""),
    "riff.mid": (15, ""),
    "riff.rmi": (15, ""),
    "running_status_first.mid": (16, "data without an event"),
    "smpte_offset_bad.mid": (15, ""),
    "sysex_ff.mid": (15, ""),
    "tempo_empty.mid": (15, "invalid tempo"),
    "ts_bad_len.mid": (15, "time signature"),
    "ts_lakh_2_33.mid": (15, "time signature"),
    "unknown_chunk.mid": (15, "wrong number of tracks"),
    "vel_gt127.mid": (16, "data bytes above 127"),
}
"""The number of notes, and a part of the warning; for no notes, of the error."""


@pytest.mark.parametrize("name", MIDI)
def test_midi_files(name: str) -> None:
    count, line = MIDI[name]
    path = CASES / "music" / name
    if not count:
        with pytest.raises(MidiError, match=line):
            Score.load(path)
        return
    score = Score.load(path)
    assert len(score.notes) == count and 7 <= score.end <= 8.5
    assert max(note.duration for note in score.notes) <= 2 and len(score.bars()) <= 6
    assert len(score.warnings) == bool(line) and line in "".join(score.warnings)


def test_the_tables_name_all_files() -> None:
    assert {path.name for path in (CASES / "music").iterdir()} == {*MIDI}
    assert {path.name for path in CASES.glob("*.*")} <= {*RECORDINGS}


@needs_the_models
@pytest.mark.parametrize("name", ["pedal_per_bar.mid", "no_off_at_all.mid"])
def test_a_harmonised_melody_keeps_all_notes(name: str, tmp_path: Path, capsys: Captured) -> None:
    output = str(tmp_path / "out.mid")
    assert run(["compose", "--harmonise", str(CASES / "music" / name), "--seed", "1", "-o", output]) == 0
    assert "chords" not in capsys.readouterr().err
    melody = {(note.pitch, round(note.onset, 2)) for note in Score.load(CASES / "music" / name).notes}
    assert melody <= {(note.pitch, round(note.onset, 2)) for note in Score.load(output).notes}
