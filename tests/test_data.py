"""Manifests, batches and padding."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.data import Utterance, length_batches, pad, read_manifest, write_manifest
from audioseq.errors import AudioError, DataError, FileError


def recording(path: Path, seconds: float = 0.2, rate: int = 16_000, seed: int = 0, **kind: str) -> Utterance:
    """Write a recording of noise, and return it as an utterance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))
    sf.write(path, samples, rate, **kind)
    return Utterance(id=path.stem, audio_filepath=path, duration=seconds, text="some words")


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
name = st.text(st.sampled_from("abcä "), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            name,
            st.booleans(),
            text,
            st.floats(1e-6, 1e6),
            st.floats(0, 1e5),
            st.none() | text,
            st.none() | text,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_manifests_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple]) -> None:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("data")
    utterances = [
        Utterance(
            id=f"{number}{said}",
            audio_filepath=(folder / "clips" if below else folder.parent) / f"x{place}x.wav",
            duration=duration,
            text=said,
            speaker=speaker,
            offset=offset,
            dataset=dataset,
        )
        for number, (place, below, said, duration, offset, speaker, dataset) in enumerate(rows)
    ]
    write_manifest(folder / "train.jsonl", utterances)
    assert read_manifest(folder / "train.jsonl") == utterances


def test_a_folder_with_manifest_and_recordings_can_be_moved(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    write_manifest(old / "m.jsonl", [recording(old / "clips" / "a.wav")])
    os.rename(old, new)
    assert read_manifest(new / "m.jsonl")[0].audio_filepath == new / "clips" / "a.wav"


def test_manifest_defaults_and_unknown_fields(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(
        '\ufeff{"audio_filepath": "a.wav", "duration": 2, "text": "", "lang": "en"}\r\n\r\n'
        '{"audio_filepath": "a.wav", "duration": 2, "text": "x", "offset": 2.5, "speaker": null}\n',
        encoding="utf-8",
    )
    first, second = read_manifest(path)
    assert first == Utterance("a.wav", tmp_path / "a.wav", 2.0, "")
    assert (second.id, second.offset, second.speaker) == ("a.wav#2.5", 2.5, None)


GOOD = {"audio_filepath": "a.wav", "duration": 1.0, "text": "words"}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{'text': 1}", "is not JSON"),
        ("[1]", "is not a JSON object"),
        (json.dumps(GOOD | {"audio_filepath": 3}), "audio_filepath is 3; give a string"),
        (json.dumps(GOOD | {"audio_filepath": ""}), "audio_filepath is empty"),
        (json.dumps({"audio_filepath": "a.wav", "duration": 1}), "text is missing; give a string"),
        (json.dumps({"audio_filepath": "a.wav", "text": ""}), "duration is missing; give seconds"),
        (json.dumps(GOOD | {"duration": 0}), "duration is 0; give"),
        (json.dumps(GOOD | {"duration": "1"}), "duration is '1'; give seconds"),
        (json.dumps(GOOD | {"duration": True}), "duration is True; give seconds"),
        (json.dumps(GOOD | {"duration": float("nan")}), "duration is nan; give seconds"),
        (json.dumps(GOOD | {"offset": -1}), "offset is -1; give seconds"),
        (json.dumps(GOOD | {"offset": 1e300}), "offset is 1e+300; give seconds, a number from 0 to 1e+09"),
        (json.dumps(GOOD | {"duration": 10**400}), "duration is 1000"),
        ('{"audio_filepath": ' + "[" * 100_000, "is nested too deeply"),
        (json.dumps(GOOD | {"speaker": 7}), "speaker is 7; give a string"),
    ],
)
def test_messages_name_the_invalid_line(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}:3: {what}")
    assert "\n" not in str(caught.value)


def test_ids_are_made_unique(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    rows = [GOOD, GOOD | {"id": "b"}, GOOD | {"offset": 2}, GOOD, GOOD | {"id": "b"}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert [u.id for u in read_manifest(path)] == ["a.wav", "b", "a.wav#2", "a.wav#3", "b#2"]


def test_many_equal_ids_take_little_time(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n" * 20_000)
    began = time.process_time()
    assert read_manifest(path)[-1].id == "a.wav#20000"
    assert time.process_time() - began < 10  # comparing each id with all others takes minutes


def test_file_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    utterance = Utterance("caf\udce9", tmp_path / "caf\udce9.wav", 1.0, "café")
    write_manifest(tmp_path / "m.jsonl", [utterance])
    assert read_manifest(tmp_path / "m.jsonl") == [utterance]


def test_text_and_duration_are_required_only_for_transcribed_manifests(tmp_path: Path) -> None:
    made = recording(tmp_path / "a.wav", 0.5)
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a.wav", "offset": 0.3}\n')
    (utterance,) = read_manifest(path, transcribed=False)
    assert utterance.text == "" and len(utterance.load()) == round(0.2 * 16_000)
    assert utterance.audio_filepath == made.audio_filepath


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "cannot be read"), (b"\n", "has no utterances"), (b"\xff\xfe{", "is not UTF-8")],
)
def test_messages_name_the_invalid_file(tmp_path: Path, content: bytes | None, what: str) -> None:
    path = tmp_path / "m.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"m.jsonl: {what}.*; "):
        read_manifest(path)


def test_a_failed_write_keeps_the_previous_manifest(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write_manifest(path, [recording(tmp_path / "a.wav")])
    before = path.read_bytes()

    def disk_full() -> object:
        yield recording(tmp_path / "b.wav")
        raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match=r"m.jsonl: cannot be written \(No space left"):
        write_manifest(path, disk_full())  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.wav", "b.wav", "m.jsonl"]
    with pytest.raises(FileError, match="cannot be written"):
        write_manifest(path / "below" / "m.jsonl", [])


def test_an_utterance_is_a_part_of_its_recording(tmp_path: Path) -> None:
    whole = recording(tmp_path / "a.wav", seconds=1.0)
    waveform = whole.load()
    assert waveform.shape == (16_000,)
    part = replace(whole, offset=0.25, duration=0.5)
    np.testing.assert_array_equal(part.load(), waveform[4_000:12_000])
    assert len(replace(whole, offset=0.75).load()) == 4_000
    assert len(whole.load(8_000)) == 8_000
    with pytest.raises(AudioError, match=r"a\.wav: has 1\.00 s, but utterance a starts at 1\.50 s; "):
        replace(whole, offset=1.5).load()


durations = st.lists(st.floats(0.01, 30), max_size=60)


@settings(max_examples=60, deadline=None)
@given(
    seconds=durations,
    budget=st.floats(1, 100),
    epoch=st.integers(0, 5),
    shortest_first=st.booleans(),
    max_size=st.none() | st.integers(1, 5),
    multiple=st.integers(1, 4),
)
def test_batches_are_complete_bounded_and_reproducible(
    seconds: list[float],
    budget: float,
    epoch: int,
    shortest_first: bool,
    max_size: int | None,
    multiple: int,
) -> None:
    def batches() -> list[list[int]]:
        return length_batches(
            seconds, budget, seed=3, epoch=epoch, shortest_first=shortest_first, max_size=max_size,
            multiple=multiple,
        )  # fmt: skip

    found = batches()
    assert found == batches()
    assert sorted(index for batch in found for index in batch) == list(range(len(seconds)))
    for batch in found:
        assert len(batch) == 1 or max(seconds[index] for index in batch) * len(batch) <= budget
        assert 0 < len(batch) <= (max_size or len(seconds))
    # The last batch is the only one of another size; in random order it is anywhere.
    assert sum(len(batch) > multiple and len(batch) % multiple > 0 for batch in found) <= 1
    if shortest_first:
        in_order = [seconds[index] for batch in found for index in batch]
        assert in_order == sorted(seconds)


def test_batches_depend_on_epoch_and_seed_and_have_little_padding() -> None:
    seconds = np.random.default_rng(0).uniform(1, 15, 1000).tolist()
    epochs = [
        length_batches(seconds, 60, seed=seed, epoch=epoch, shortest_first=False)
        for seed, epoch in [(0, 0), (0, 1), (1, 0)]
    ]
    together = [{frozenset(batch) for batch in batches} for batches in epochs]
    assert len(together[0] & together[1]) < 0.1 * len(together[0])
    assert len(together[0] & together[2]) < 0.1 * len(together[0])
    padded = sum(len(batch) * max(seconds[index] for index in batch) for batch in epochs[0])
    assert sum(seconds) / padded > 0.85
    means = [np.mean([seconds[index] for index in batch]) for batch in epochs[0]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3  # the order is random


def test_pad_appends_zeros() -> None:
    stacked, lengths = pad([torch.ones(2, 3), torch.ones(4, 3), torch.ones(0, 3)])
    assert stacked.shape == (3, 4, 3) and lengths.tolist() == [2, 4, 0] and lengths.dtype == torch.int64
    assert stacked.sum((1, 2)).tolist() == [6, 12, 0] and not stacked[0, 2:].any()
    targets, _ = pad([torch.tensor([5, 6]), torch.tensor([7])])
    assert targets.tolist() == [[5, 6], [7, 0]]
