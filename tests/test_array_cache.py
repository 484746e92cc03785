"""Derived arrays in the cache: derived once for a file, and again when it changes or the cache is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audioseq import models
from audioseq.array_cache import Arrays, cached_arrays, is_cached
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_cached
from audioseq.speech.decoding.beam import BeamDecoder
from tests.language.small import random_model

ARRAYS: Arrays = {
    "a": np.arange(7, dtype=np.uint8),
    "b": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    "none": np.zeros((0, 3), np.int64),
    "last": np.array([2**60]),
}


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUDIOSEQ_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "model"
    path.write_bytes(b"model")
    return path


class Deriving:
    """Counts how often arrays are derived."""

    count = 0

    def __call__(self) -> Arrays:
        self.count += 1
        return ARRAYS


def check(arrays: Arrays) -> None:
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_arrays_are_derived_once(model: Path, tmp_path: Path) -> None:
    derive = Deriving()
    for _ in range(3):
        check(cached_arrays(model, "x", derive))
    assert derive.count == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["model.x"]
    assert not cached_arrays(model, "x", derive)["a"].flags.writeable
    check(cached_arrays(model, "y", derive))
    assert derive.count == 2


def test_arrays_are_derived_again_when_the_file_changes(model: Path) -> None:
    derive = Deriving()
    check(cached_arrays(model, "x", derive))
    model.write_bytes(b"model 2")
    check(cached_arrays(model, "x", derive))
    check(cached_arrays(model, "x", derive))
    assert derive.count == 2


def test_a_damaged_cache_is_written_again(model: Path, tmp_path: Path) -> None:
    derive = Deriving()
    check(cached_arrays(model, "x", derive))
    content = (tmp_path / "cache" / "model.x").read_bytes()
    for size in range(0, len(content), 50):
        (tmp_path / "cache" / "model.x").write_bytes(content[:size])
        check(cached_arrays(model, "x", derive))
    for start in (b"[", b"7\n", b"[[1], 2]\n", b"\xff\n"):
        (tmp_path / "cache" / "model.x").write_bytes(start + content)
        check(cached_arrays(model, "x", derive))
    assert (tmp_path / "cache" / "model.x").read_bytes() == content


def test_a_cache_that_cannot_be_written_is_left_out(model: Path, tmp_path: Path) -> None:
    derive = Deriving()
    (tmp_path / "cache").write_bytes(b"a file")
    check(cached_arrays(model, "x", derive))
    check(cached_arrays(model, "x", derive))
    assert derive.count == 2


def test_only_named_models_are_cached(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_cached(models.resolve("english-4gram")) and not is_cached(model)
    monkeypatch.setattr(models, "cache_dir", lambda: models.resolve("nothing"))
    assert not is_cached(model)


def test_a_cached_ngram_model_decodes_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIOSEQ_CACHE", str(tmp_path))
    path = tmp_path / "lm.safetensors"
    binary.save(path, random_model(3))
    exact = binary.load(path)
    words = exact.vocabulary.words[3:]
    pieces = ["", *sorted({letter for word in words for letter in word}), " "]
    emissions = np.log(np.random.default_rng(0).dirichlet(np.ones(len(pieces)), 12))
    expected = BeamDecoder(pieces, exact)(emissions, 20)
    for _ in range(2):
        model = load_cached(path)
        assert BeamDecoder(pieces, model)(emissions, 20) == expected
        assert BeamDecoder(pieces, model, hotwords=["zzz"])(emissions, 20)[0].text
        assert model.perplexity([words[:3]]) == exact.perplexity([words[:3]])
    assert len(list(tmp_path.iterdir())) == 3
