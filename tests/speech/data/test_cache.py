"""The cache returns the decoded samples, and never confuses recordings."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.files import write_atomically
from audioseq.speech.data import cache as cache_module
from audioseq.speech.data.cache import WaveformCache


def recording(path: Path, seconds: float = 0.2, rate: int = 16_000, seed: int = 0, **kind: str) -> Utterance:
    """Write noise, and return it as an utterance."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * rate))
    sf.write(path, samples, rate, **kind)
    return Utterance(id=path.stem, audio_filepath=path, duration=seconds, text="some words")


@pytest.fixture
def corpus(tmp_path: Path) -> list[Utterance]:
    folder = tmp_path / "audio"
    long = recording(folder / "long.wav", seconds=1.0, seed=1)
    return [
        recording(folder / "a.wav", seed=2),
        recording(folder / "b.flac", rate=44_100, seed=3),
        recording(folder / "c.mp3", rate=22_050, seed=4),
        recording(folder / "d.opus", rate=8_000, seed=5, format="OGG", subtype="OPUS"),
        replace(long, id="first", duration=0.5),
        replace(long, id="second", duration=0.5, offset=0.5),
    ]


def test_cache_returns_the_decoded_samples(tmp_path: Path, corpus: list[Utterance]) -> None:
    cache = WaveformCache(tmp_path / "cache")
    steps: list[tuple[int, int]] = []
    assert cache.build(corpus, workers=2, progress=lambda *step: steps.append(step)) == []
    assert steps == [(step, 5) for step in range(1, 6)]
    for again in (cache, WaveformCache(tmp_path / "cache"), pickle.loads(pickle.dumps(cache))):
        for utterance in corpus:
            samples = again.load(utterance)
            assert utterance in again and samples.dtype == np.int16
            np.testing.assert_allclose(samples / 32768, utterance.load(), atol=1 / 32768)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_cache_of_16_bit_audio_is_exact(tmp_path: Path) -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], np.int16)
    sf.write(tmp_path / "a.wav", samples, 16_000)
    utterance = Utterance("a", tmp_path / "a.wav", 1.0, "")
    cache = WaveformCache(tmp_path / "cache")
    cache.build([utterance])
    np.testing.assert_array_equal(cache.load(utterance), samples)


def test_cache_decodes_only_new_recordings(tmp_path: Path, corpus: list[Utterance]) -> None:
    cache = WaveformCache(tmp_path / "cache")
    cache.build(corpus[:3])
    done: list[int] = []
    cache = WaveformCache(tmp_path / "cache")
    cache.build(corpus[::-1], progress=lambda _, files: done.append(files))
    assert done == [2, 2]
    for utterance in corpus:
        np.testing.assert_allclose(cache.load(utterance) / 32768, utterance.load(), atol=1 / 32768)
    assert WaveformCache(tmp_path / "cache").build(corpus) == []


def test_entries_are_found_after_the_manifest_changed(tmp_path: Path, corpus: list[Utterance]) -> None:
    """The key is the recording, offset and duration, so ids and order may change."""
    cache = WaveformCache(tmp_path / "cache")
    cache.build(corpus)
    renamed = [replace(b, id=a.id, text="other") for a, b in zip(corpus, corpus[::-1], strict=True)]
    for utterance in renamed:
        np.testing.assert_allclose(cache.load(utterance) / 32768, utterance.load(), atol=1 / 32768)
    moved = replace(corpus[0], offset=0.1)
    assert moved not in cache
    with pytest.raises(DataError, match="utterance a is not in the cache; build the cache first"):
        cache.load(moved)


def test_a_changed_recording_is_decoded_again(tmp_path: Path, corpus: list[Utterance]) -> None:
    cache = WaveformCache(tmp_path / "cache")
    cache.build(corpus)
    changed = recording(corpus[0].audio_filepath, seconds=0.15, seed=9)
    changed = replace(changed, duration=corpus[0].duration)
    for again in (cache, WaveformCache(tmp_path / "cache")):
        again.build(corpus)
        assert len(again.load(changed)) == 2_400
        np.testing.assert_allclose(again.load(changed) / 32768, changed.load(), atol=1 / 32768)


def test_cache_reports_bad_recordings_and_keeps_the_others(tmp_path: Path, corpus: list[Utterance]) -> None:
    missing = Utterance("m", tmp_path / "missing.wav", 1.0, "")
    past_the_end = replace(corpus[4], id="p", offset=9.0)
    cache = WaveformCache(tmp_path / "cache")
    errors = cache.build([missing, past_the_end, *corpus])
    assert sorted(str(error).split(": ")[1].split(",")[0] for error in errors) == [
        "has 1.00 s",
        "no such file; check the path",
    ]
    assert missing not in cache and past_the_end not in cache
    assert all(utterance in cache for utterance in corpus)


def test_a_build_without_usable_recordings_leaves_no_files(tmp_path: Path) -> None:
    cache = WaveformCache(tmp_path / "cache")
    assert cache.build([]) == []
    assert len(cache.build([Utterance("m", tmp_path / "missing.wav", 1.0, "")])) == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_interrupted_build_leaves_no_files(tmp_path: Path, corpus: list[Utterance]) -> None:
    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    cache = WaveformCache(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        cache.build(corpus, progress=stop)
    assert list((tmp_path / "cache").iterdir()) == []
    assert corpus[0] not in cache and cache.build(corpus) == []


def test_a_build_replaces_what_the_same_build_left_when_it_was_killed(
    tmp_path: Path, corpus: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache"
    WaveformCache(folder).build(corpus[:2])
    for suffix, left in ((".i16", 3), (".json", 4)):  # killed while it writes the samples, or the index

        def killed(path: Path, *rest: Any, suffix: str = suffix, **options: Any) -> None:
            if path.suffix == suffix:
                path.with_name(f".{path.name}.tmp").write_bytes(b"incomplete")
                raise KeyboardInterrupt
            write_atomically(path, *rest, **options)

        monkeypatch.setattr(cache_module, "write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            WaveformCache(folder).build(corpus)
        assert len(list(folder.iterdir())) >= left
    monkeypatch.undo()
    cache = WaveformCache(folder)
    cache.build(corpus)
    assert [path.suffix for path in sorted(folder.iterdir())] == [".i16", ".json"] * 2
    for utterance in corpus:
        np.testing.assert_allclose(cache.load(utterance) / 32768, utterance.load(), atol=1 / 32768)


@pytest.mark.parametrize("damage", ["truncated", "missing", "index"])
def test_a_damaged_cache_is_reported(tmp_path: Path, corpus: list[Utterance], damage: str) -> None:
    WaveformCache(tmp_path / "cache").build(corpus)
    (samples,), (index,) = (tmp_path / "cache").glob("*.i16"), (tmp_path / "cache").glob("*.json")
    if damage == "truncated":
        os.truncate(samples, 100)
    elif damage == "missing":
        samples.unlink()
    else:
        index.write_text('{"a": [1]}')
    with pytest.raises(DataError, match="; delete the cache and build it again"):
        WaveformCache(tmp_path / "cache").load(corpus[-1])
