"""`audioseq prepare` and `audioseq align`: manifests for `audioseq train`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from audioseq import audio
from audioseq.cli.main import run
from audioseq.data import read_manifest

SAMPLE = Path(__file__).parents[1] / "assets" / "digits.flac"
TEXT = "three seven one nine four"

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with ten recordings with texts, and one without."""
    for number in range(10):
        place = tmp_path / "my voice" / f"{number}.wav"
        place.parent.mkdir(exist_ok=True)
        audio.write(place, audio.load(SAMPLE))
        place.with_suffix(".txt").write_text(f"{TEXT} {'abcdefghij'[number]}")
    audio.write(tmp_path / "my voice" / "more.wav", audio.load(SAMPLE))
    return tmp_path / "my voice"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """Return a recording of the sample, repeated twelve times, with its text in a file of the same name."""
    noise = np.random.default_rng(0).normal(scale=1e-3, size=4_000).astype(np.float32)
    audio.write(tmp_path / "talk.flac", np.concatenate([noise, audio.load(SAMPLE)] * 12))
    (tmp_path / "talk.txt").write_text(f"{TEXT.capitalize()}.\n" * 12)
    return tmp_path / "talk.flac"


def test_prepare_writes_manifests_and_prints_the_next_command(
    folder: Path, capsys: Captured, tmp_path: Path
) -> None:
    assert run(["prepare", str(folder), "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in printed[:3]] == [["train", "9"], ["valid", "1"], ["left", "out"]]
    assert "more.wav" in printed[2]
    words = shlex.split(printed[-1])
    assert words[:2] == ["audioseq", "train"] and words[3] == "--valid"
    assert (len(read_manifest(words[2])), len(read_manifest(words[4]))) == (9, 1)


def test_prepare_overwrites_only_with_force(folder: Path, capsys: Captured) -> None:
    assert run(["prepare", str(folder)]) == 0
    assert run(["prepare", str(folder)]) == 1
    assert "train.jsonl: already exists; --force overwrites it" in capsys.readouterr().err
    assert run(["prepare", str(folder), "--force", "--alphabet", " abcdefghijklmnopqrstuvwxyzß"]) == 0
    next_command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert next_command[-1] == "alphabet=' abcdefghijklmnopqrstuvwxyzß'"


def test_align_writes_all_formats(talk: Path, capsys: Captured) -> None:
    text = str(talk.with_suffix(".txt"))
    assert run(["align", str(talk), text]) == 0
    header, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert header == ["start", "end", "word", "confidence"]
    assert [row[2] for row in rows] == f"{TEXT.capitalize()}.".split() * 12
    assert run(["align", str(talk), text, "-f", "json"]) == 0
    parsed = json.loads(capsys.readouterr().out)
    assert [f"{word['start']:.3f}" for word in parsed["words"]] == [row[0] for row in rows]
    assert run(["align", str(talk), text, "-f", "ctm"]) == 0
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first[:3] == ["talk", "1", rows[0][0]] and first[4] == "Three"
    target = talk.with_suffix(".srt")
    assert run(["align", str(talk), text, "-f", "srt", "-o", str(target)]) == 0
    assert "Three seven one nine four." in target.read_text().replace("\n", " ")
    assert run(["align", str(talk), text, "-f", "srt", "-o", str(target)]) == 1
    assert "already exists; --force" in capsys.readouterr().err


def test_a_long_recording_is_cut_into_utterances(talk: Path, capsys: Captured, tmp_path: Path) -> None:
    text, cut = str(talk.with_suffix(".txt")), str(tmp_path / "cut")
    assert run(["align", str(talk), text, "-m", "digits", "--cut", cut]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "cut" / "talk.jsonl")
    assert "left out 0 in which" in printed.err
    assert run(["prepare", cut, "--valid-share", "0.4"]) == 0
    entries = [
        each for name in ("train", "valid") for each in read_manifest(tmp_path / "cut" / f"{name}.jsonl")
    ]
    assert entries and all(each.audio_filepath == talk for each in entries)
    assert max(each.duration for each in entries) <= 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "missing.txt: cannot be read"),
        (["latin.txt"], "is not UTF-8 text"),
        (["digits.txt"], "the text has no word in the model's alphabet"),
        (["other.txt", "--cut", "new"], "check that it is the right text"),
    ],
)
def test_bad_texts_are_errors(talk: Path, capsys: Captured, arguments: list[str], message: str) -> None:
    folder = talk.parent
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "digits.txt").write_text("1 2 3")
    (folder / "other.txt").write_text("eight eight eight eight eight")
    given = [str(folder / each) if each[0] != "-" else each for each in arguments]
    assert run(["align", str(talk), *given]) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "new").exists()


def test_cut_and_output_exclude_each_other(talk: Path, capsys: Captured) -> None:
    assert run(["align", str(talk), str(talk), "--cut", "a", "-o", "b"]) == 2
    assert "--cut already names the output folder" in capsys.readouterr().err
