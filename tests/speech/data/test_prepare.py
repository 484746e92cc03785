"""Unusable recordings are left out with a reason, and the two parts of a split share no sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audioseq import audio
from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.speech.data.prepare import RecordingLimits, check, prepare, split_by_text
from tests.speech.data.recordings import record, tone


def test_unusable_recordings_are_left_out_with_a_reason(tmp_path: Path) -> None:
    for number in range(10):
        record(tmp_path / f"good{number}.wav", f"it is good {'abcdefghij'[number]}, really")
    record(tmp_path / "digits.wav", "at 5 o'clock")
    record(tmp_path / "empty.wav", "...")
    record(tmp_path / "short.wav", "hi", seconds=0.1)
    record(tmp_path / "long.wav", "a long, long story" * 10, seconds=21)
    record(tmp_path / "silent.wav", "not a sound", level=0)
    record(tmp_path / "loud.wav", "too loud", level=2)
    record(tmp_path / "slow.wav", "ah", seconds=9)
    record(tmp_path / "fast.wav", "more than one can say in a second of time")
    record(tmp_path / "broken.wav", "nothing").write_bytes(b"RIFF, or so")
    tone(tmp_path / "no-text.wav")
    tone(tmp_path / "latin.wav").with_suffix(".txt").write_bytes("café".encode("latin-1"))
    prepared = prepare(tmp_path)
    assert len(prepared.train) + len(prepared.valid) == 10 and len(prepared.valid) == 1
    reasons = {Path(problem.example.split(" '")[0]).stem: problem.reason for problem in prepared.problems}
    for name, part in {
        "digits": "spell them out", "empty": "without text in the alphabet", "short": "shorter than 0.3 s",
        "long": "audioseq align", "silent": "silent", "loud": "clipped", "slow": "fewer than 2 characters",
        "fast": "more than 30 characters", "broken": "cannot be opened", "no-text": "has no text",
        "latin": "is not UTF-8",
    }.items():  # fmt: skip
        assert part in reasons[name]
    assert len(reasons) == len(prepared.problems) == 11
    assert prepared.dropped == Counter({",": 10})
    table = prepared.table()
    assert "train          9 recordings" in table and "characters removed from texts: ,×10" in table
    assert table.count("left out       1") == 11
    assert prepare(tmp_path) == prepared


def test_equal_reasons_are_counted_in_one_line(tmp_path: Path) -> None:
    for name in "abcdef":
        record(tmp_path / f"{name}.wav", f"good {name} and well")
        tone(tmp_path / f"{name}-no-text.wav")
    lines = prepare(tmp_path, valid_share=0.3).table().splitlines()
    assert len(lines) == 3 and lines[2].startswith(
        "left out       6  has no text; write the transcript to NAME.txt"
    )


def test_letters_of_another_alphabet_are_kept(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", "Schöne Grüße")
    record(tmp_path / "b.wav", "übermäßig schön")
    for letters, expected in {
        "": {"schone grusse", "ubermassig schon"},
        "äöüß": {"schöne grüße", "übermäßig schön"},
    }.items():
        kept = prepare(tmp_path, valid_share=0.5, alphabet=f" abcdefghijklmnopqrstuvwxyz{letters}")
        assert {each.text for each in (*kept.train, *kept.valid)} == expected


@pytest.mark.parametrize(
    ("share", "message"), [(0.0, "between 0 and 1"), (1.0, "between 0 and 1"), (0.1, "too few to train")]
)
def test_invalid_shares_and_too_little_data_are_errors(tmp_path: Path, share: float, message: str) -> None:
    record(tmp_path / "only.wav", "one by itself")
    (tmp_path / "damaged.wav").write_bytes(b"no recording")
    (tmp_path / "damaged.txt").write_text("a text")
    with pytest.raises(DataError, match=message) as error:
        prepare(tmp_path, valid_share=share)
    assert "\n" not in str(error.value)


def test_folders_without_usable_recordings_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no recordings with texts; see"):
        prepare(tmp_path)
    tone(tmp_path / "x.wav")
    with pytest.raises(DataError, match=r"x\.wav has no text"):
        prepare(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        prepare(tmp_path / "x.wav")
    with pytest.raises(DataError, match="lower limits"):
        RecordingLimits(min_seconds=3, max_seconds=2)


def test_check_accepts_a_usable_recording() -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=audio.SAMPLE_RATE)
    assert check(noise, "fourteen chars", RecordingLimits()) is None


people = st.sampled_from(["ann", "bob", "cy", "di", None])
sentences = st.sampled_from([f"sentence {letter}" for letter in "abcdefghijkl"])


@given(st.lists(st.tuples(people, sentences, st.floats(0.5, 15)), max_size=40), st.floats(0.05, 0.5))
def test_training_and_validation_share_no_sentence(
    rows: list[tuple[str | None, str, float]], share: float
) -> None:
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


def test_whole_speakers_are_held_out_if_there_are_enough() -> None:
    utterances = [
        Utterance(f"{speaker}-{at}", Path("/x.wav"), 2.0, f"sentence {speaker} {at}", f"speaker {speaker}")
        for speaker in range(20)
        for at in range(5)
    ]
    train, valid = split_by_text(utterances, 0.1)
    assert not {each.speaker for each in train} & {each.speaker for each in valid}
    assert len(valid) == 10 and len(train) == 90
