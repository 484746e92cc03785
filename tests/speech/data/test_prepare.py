"""Every layout is found, everything bad is told with its reason, and the two sides share nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from audioseq import audio
from audioseq.data import Utterance, write_manifest
from audioseq.errors import DataError
from audioseq.speech.data.prepare import RecordingLimits, check, find, prepare, split_by_text


def sound(path: Path, seconds: float = 1.0, level: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, level * np.sin(np.arange(round(seconds * 8000)) * 0.5), 8000)
    return path


def said(path: Path, text: str, **kind: float) -> Path:
    """Write a recording with its text beside it."""
    sound(path, **kind).with_suffix(".txt").write_text(text, encoding="utf-8")
    return path


def test_every_layout_is_found_at_any_depth(tmp_path: Path) -> None:
    said(tmp_path / "mine/ann/a.wav", "Hello there.")
    sound(tmp_path / "mine/b.FLAC").with_suffix(".lab").write_text("by the way")
    sound(tmp_path / "libri/train/1/2/1-2-0.flac")
    (tmp_path / "libri/train/1/2/1-2.trans.txt").write_text("1-2-0 LIBRI\n")
    sound(tmp_path / "lj/wavs/LJ1.wav")
    (tmp_path / "lj/metadata.csv").write_text("LJ1|1|one lj\n")
    sound(tmp_path / "vctk/wav48/p1/p1_1.wav")
    (tmp_path / "vctk/txt/p1").mkdir(parents=True)
    (tmp_path / "vctk/txt/p1/p1_1.txt").write_text("Stella.")
    sound(tmp_path / "cv/en/clips/c_1.wav")
    (tmp_path / "cv/en/validated.tsv").write_text("client_id\tpath\tsentence\nabc\tc_1.mp3\tCommon.\n")
    sound(tmp_path / "tsv/u.wav")
    (tmp_path / "tsv/manifest.tsv").write_text("utt\tspeaker\ttext\nu\ts\tTABLE\n")
    long = sound(tmp_path / "cut/talk.wav", seconds=4)
    parts = [Utterance(f"talk-{at}", long, 2, f"part {at}", offset=at) for at in (0.0, 2.0)]
    write_manifest(tmp_path / "cut" / "talk.jsonl", parts)
    write_manifest(tmp_path / "train.jsonl", parts[:1])  # of an earlier time: no data
    found, problems = find(tmp_path)
    assert problems == []
    assert sorted((each.text, each.speaker) for each in found if each.speaker) == [
        ("Common.", "abc"), ("Hello there.", "mine/ann"), ("LIBRI", "1"), ("Stella.", "p1"), ("TABLE", "s"),
        ("by the way", "mine"), ("one lj", "lj"),
    ]  # fmt: skip
    assert [(each.text, each.offset) for each in found if not each.speaker] == [
        ("part 0.0", 0),
        ("part 2.0", 2),
    ]


def test_what_is_bad_is_left_out_with_its_reason(tmp_path: Path) -> None:
    for number in range(10):
        said(tmp_path / f"good{number}.wav", f"it is good {'abcdefghij'[number]}, really")
    said(tmp_path / "figures.wav", "at 5 o'clock")
    said(tmp_path / "empty.wav", "...")
    said(tmp_path / "short.wav", "hi", seconds=0.1)
    said(tmp_path / "long.wav", "a long, long story" * 10, seconds=21)
    said(tmp_path / "silent.wav", "not a sound", level=0)
    said(tmp_path / "loud.wav", "too loud", level=2)
    said(tmp_path / "slow.wav", "ah", seconds=9)
    said(tmp_path / "fast.wav", "more than one can say in a second of time")
    said(tmp_path / "broken.wav", "nothing").write_bytes(b"RIFF, or so")
    sound(tmp_path / "untold.wav")
    sound(tmp_path / "latin.wav").with_suffix(".txt").write_bytes("café".encode("latin-1"))
    prepared = prepare(tmp_path)
    assert len(prepared.train) + len(prepared.valid) == 10 and len(prepared.valid) == 1
    told = {Path(problem.example.split(" '")[0]).stem: problem.reason for problem in prepared.problems}
    for name, part in {
        "figures": "spell them out", "empty": "without text in the alphabet", "short": "shorter than 0.3 s",
        "long": "audioseq align", "silent": "silent", "loud": "clipped", "slow": "fewer than 2 characters",
        "fast": "more than 30 characters", "broken": "cannot be opened", "untold": "has no text",
        "latin": "is not UTF-8",
    }.items():  # fmt: skip
        assert part in told[name]
    assert len(told) == len(prepared.problems) == 11
    assert prepared.dropped == Counter({",": 10})
    table = prepared.table()
    assert "train          9 recordings" in table and "dropped from texts: ,×10" in table
    assert table.count("left out       1") == 11
    assert prepare(tmp_path) == prepared


def test_one_reason_is_one_line(tmp_path: Path) -> None:
    for name in "abcdef":
        said(tmp_path / f"{name}.wav", f"good {name} and well")
        sound(tmp_path / f"{name}-untold.wav")
    lines = prepare(tmp_path, valid_share=0.3).table().splitlines()
    assert len(lines) == 3 and lines[2].startswith(
        "left out       6  has no text; write what is said to NAME.txt"
    )


def test_another_alphabet_keeps_its_letters(tmp_path: Path) -> None:
    said(tmp_path / "a.wav", "Schöne Grüße")
    said(tmp_path / "b.wav", "übermäßig schön")
    for letters, expected in {
        "": {"schone grusse", "ubermassig schon"},
        "äöüß": {"schöne grüße", "übermäßig schön"},
    }.items():
        kept = prepare(tmp_path, valid_share=0.5, alphabet=f" abcdefghijklmnopqrstuvwxyz{letters}")
        assert {each.text for each in (*kept.train, *kept.valid)} == expected


@pytest.mark.parametrize(
    ("share", "message"), [(0.0, "between 0 and 1"), (1.0, "between 0 and 1"), (0.1, "too few to train")]
)
def test_bad_shares_and_too_little_data(tmp_path: Path, share: float, message: str) -> None:
    said(tmp_path / "only.wav", "one by itself")
    with pytest.raises(DataError, match=message):
        prepare(tmp_path, valid_share=share)


def test_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no recordings with texts; see"):
        prepare(tmp_path)
    sound(tmp_path / "x.wav")
    with pytest.raises(DataError, match=r"x\.wav is without a text"):
        prepare(tmp_path)
    with pytest.raises(DataError, match="is no folder"):
        prepare(tmp_path / "x.wav")
    with pytest.raises(DataError, match="lower limits"):
        RecordingLimits(shortest=3, longest=2)


def test_check_accepts_speech() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=audio.SAMPLE_RATE)
    assert check(noise, "fourteen chars", RecordingLimits()) is None


people = st.sampled_from(["ann", "bob", "cy", "di", None])
sentences = st.sampled_from([f"sentence {letter}" for letter in "abcdefghijkl"])


@given(st.lists(st.tuples(people, sentences, st.floats(0.5, 15)), max_size=40), st.floats(0.05, 0.5))
def test_the_sides_share_no_sentence(rows: list[tuple[str | None, str, float]], share: float) -> None:
    utterances = [
        Utterance(str(number), Path(f"/{number}.wav"), seconds, text, speaker)
        for number, (speaker, text, seconds) in enumerate(rows)
    ]
    train, valid = split_by_text(utterances, share)
    assert not {each.text for each in train} & {each.text for each in valid}
    assert not {each.id for each in train} & {each.id for each in valid}
    assert {each.id for each in train + valid} <= {each.id for each in utterances}
    assert split_by_text(utterances, share) == (train, valid)
    if len({each.text for each in utterances}) > 1:
        assert valid


def test_speakers_are_kept_apart_where_there_are_enough() -> None:
    utterances = [
        Utterance(f"{speaker}-{at}", Path("/x.wav"), 2.0, f"sentence {speaker} {at}", f"speaker {speaker}")
        for speaker in range(20)
        for at in range(5)
    ]
    train, valid = split_by_text(utterances, 0.1)
    assert not {each.speaker for each in train} & {each.speaker for each in valid}
    assert len(valid) == 10 and len(train) == 90
