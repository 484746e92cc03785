"""Model files that are valid containers, but wrong inside: one-line errors, and no memory for them."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from audioseq import checkpoint
from audioseq.config import merge
from audioseq.errors import AudioseqError, CheckpointError, ConfigError
from audioseq.language.pipeline import load_predictor
from audioseq.language.punctuation.pipeline import load_punctuator
from audioseq.music.harmony.pipeline import load_harmoniser
from audioseq.music.pipeline import load_composer
from audioseq.speech.pipeline import load_recogniser
from tests.fuzz import seeds
from tests.language import tiny as tiny_language
from tests.language.punctuation import tiny as tiny_punctuation
from tests.music import tiny as tiny_music
from tests.music.harmony import tiny as tiny_harmony

MODELS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "speech": (seeds.speech_model, load_recogniser),
    "music": (tiny_music.model_file, load_composer),
    "harmony": (tiny_harmony.model_file, load_harmoniser),
    "language": (lambda path: tiny_language.save(path, "words"), load_predictor),
    "punctuation": (tiny_punctuation.save, load_punctuator),
}


@pytest.fixture(params=MODELS)
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def error_of(task: str, path: Path, change: Callable[[checkpoint.Checkpoint], None]) -> str:
    """Change a model file of a task; return the message of the error of loading it."""
    make, load = MODELS[task]
    stored = checkpoint.load(make(path))
    change(stored)
    checkpoint.save(path, stored.weights, stored.header)
    with pytest.raises(AudioseqError) as caught:
        load(path)
    assert isinstance(caught.value, CheckpointError | ConfigError) and "\n" not in str(caught.value)
    return str(caught.value)


SIZES: dict[str, tuple[str, ...]] = {
    "speech": ("lower_size", "upper_layers", "channels", "p2g_layers", "frame_stacking"),
    "music": ("width", "hidden_size", "num_layers"),
    "harmony": ("reading_size", "hidden_size", "reading_layers", "head_size"),
    "language": ("embedding_size", "hidden_size", "num_layers"),
    "punctuation": ("embedding_size", "hidden_size", "num_layers"),
}


@pytest.mark.parametrize("size", [200_000, 10**12, 2**70])
@pytest.mark.parametrize(("task", "name"), [(task, name) for task, names in SIZES.items() for name in names])
def test_sizes_beyond_the_memory_are_refused_before_it_is_allocated(
    task: str, name: str, size: int, tmp_path: Path
) -> None:
    def change(stored: checkpoint.Checkpoint) -> None:
        model = stored.header.config["model"]
        stored.header.config["model"] = {**model, name: [size] if name == "channels" else size}

    message = error_of(task, tmp_path / "m.safetensors", change)
    assert "its weights do not match its config" in message or f"model.{name}" in message


def test_a_model_without_convolutions_is_refused(tmp_path: Path) -> None:
    def change(stored: checkpoint.Checkpoint) -> None:
        stored.header.config["model"]["channels"] = []

    assert "model.channels" in error_of("speech", tmp_path / "m.safetensors", change)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(task: str, value: float, tmp_path: Path) -> None:
    def change(stored: checkpoint.Checkpoint) -> None:
        next(weight for weight in stored.weights.values() if weight.is_floating_point()).view(-1)[0] = value

    assert "its weights are not finite numbers" in error_of(task, tmp_path / "m.safetensors", change)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        {"pop": []},
        {"jazz": [{}]},
        {"pop": [{"tempo": "fast"}]},
        {"pop": [{"tonic": 12}]},
        {"pop": [{"programs": []}]},
        {"pop": [{"programs": [129]}]},
        {"pop": [{"programs": [0] * 9}]},
        {"pop": [{"bars": -1}]},
        {"pop": [{"density": 1e300}]},
        {"pop": [{"minor": None}]},
    ],
    ids=str,
)
def test_conditions_out_of_range_are_refused(asked: Any, tmp_path: Path) -> None:
    def change(stored: checkpoint.Checkpoint) -> None:
        valid = stored.header.tokenizer["asked"]["pop"][0]
        is_rows = isinstance(asked, dict)
        stored.header.tokenizer["asked"] = (
            {style: [merge(valid, row) for row in rows] for style, rows in asked.items()}
            if is_rows
            else asked
        )

    assert "do not match" in error_of("music", tmp_path / "m.safetensors", change)


@pytest.mark.parametrize(
    "tensor", [torch.zeros(0, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8), torch.zeros(4)]
)
def test_a_damaged_fingerprint_is_refused(tensor: torch.Tensor, tmp_path: Path) -> None:
    def change(stored: checkpoint.Checkpoint) -> None:
        stored.weights["training_runs"] = tensor

    assert "fingerprint" in error_of("music", tmp_path / "m.safetensors", change)


def test_a_compressed_file_that_fills_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors.xz"
    seeds.speech_model(path)
    path.write_bytes(path.read_bytes() + lzma.compress(bytes(2**26), preset=0))
    with pytest.raises(CheckpointError, match="decompresses to more than 100 times its size"):
        load_recogniser(path)


def test_text_that_is_not_unicode_is_neither_stored_nor_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    stored = checkpoint.load(seeds.speech_model(path))
    header = replace(stored.header, card={"with": "caf\udce9.arpa"})
    checkpoint.save(path, stored.weights, header)
    assert checkpoint.load(path).header.card == {"with": "caf?.arpa"}
    content = path.read_bytes()
    path.write_bytes(content.replace(b"caf?.ar", b"\\\\ud800"))
    with pytest.raises(CheckpointError, match="its card is missing or not JSON"):
        checkpoint.load(path)
