"""The scripts of the English recipe: the dictionary, and text-only training."""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audioseq import checkpoint
from audioseq.config import read_toml, resolve
from audioseq.data import write_manifest
from audioseq.errors import ConfigError, DataError
from audioseq.speech import pipeline
from audioseq.speech.config import SpeechConfig, TextOnlyConfig
from audioseq.speech.data.cache import WaveformCache
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.model import load_acoustic_model
from audioseq.speech.pronunciation import WORD_BOUNDARY, Pronunciations
from audioseq.speech.task import SpeechTask
from audioseq.text.subwords import restore_tokenizer
from audioseq.training import TrainingResult, fit
from audioseq.training.distributed import join_group
from tests.recipes.script import module, run
from tests.speech.tiny import MODEL, config, say, utterances

RECIPE = Path(__file__).parents[2] / "recipes" / "english-ctc"
# Each letter of the tiny language is one phone, except in "dc", which has the phones of "cab".
PHONES = {"a": "AA", "b": "B", "c": "CH", "d": "D"}
WORDS = ["ab", "ba", "cad", "dab", "abba", "bad", "ac", "ca", "dad", "cda"]


def test_the_sizes_for_a_gpu_suit_its_kernels() -> None:
    table = read_toml(RECIPE / "config.toml")
    large = resolve(SpeechConfig, table, smoke=False, where="config.toml", gpu=True)
    small = resolve(SpeechConfig, table, smoke=False, where="config.toml")
    for size in (large.model.lower_size, large.model.upper_size, large.model.p2g_size):
        assert size % 128 == 0
    assert large.data.max_batch <= 128 and large.data.max_batch % large.data.batch_multiple == 0
    assert large.text_only is not None and large.text_only.sentences == 1
    assert large.training.save_minutes == 1
    assert large.model.upper_layers > small.model.upper_layers


def test_training_on_a_gpu_needs_what_prepare_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(RECIPE)
    script = module(RECIPE / "gpu.py")
    made = utterances(tmp_path, ["ab", "ba cad"])
    write_manifest(tmp_path / "made.jsonl", made)
    paths = {"train": [tmp_path / "made.jsonl"], "valid": [tmp_path / "made.jsonl"]}
    sets = [f"data.{name}={[str(path) for path in value]}" for name, value in paths.items()]
    sets.append(f"data.cache={str(tmp_path / 'cache')!r}")
    monkeypatch.setattr(script, "SEGMENTS", tmp_path / "segments.npz")
    arguments = ["gpu.py", *(word for each in sets for word in ("--set", each))]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(ConfigError, match="run this script with --prepare first"):
        script.main()
    (tmp_path / "segments.npz").touch()
    monkeypatch.setattr(sys, "argv", [*arguments, "--prepare"])
    script.main()
    assert all(each in WaveformCache(tmp_path / "cache") for each in made)
    started: list[dict[str, Any]] = []

    def record(*arguments: Any, **options: Any) -> TrainingResult:
        started.append(options)
        return TrainingResult(Path("best"), Path("last"), {}, 0)

    monkeypatch.setattr(script, "train", record)
    monkeypatch.setattr(sys, "argv", [*arguments, "--run-dir", str(tmp_path)])
    for resume in (False, True):
        script.main()
        assert started[-1]["resume"] is resume and started[-1]["device"] == "cuda"
        (tmp_path / "state.pt").touch()


def test_a_word_is_learnt_from_text_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{word} {' '.join(PHONES[letter] for letter in word)}\n" for word in WORDS]
    (tmp_path / "dictionary.txt").write_text("".join(lines) + "dc CH AA B\n")
    (tmp_path / "texts.txt").write_text("dc\nba dc\n")
    made = utterances(tmp_path, [*WORDS, "ab cad", "bad ac", "dab ba", "cda dad", "ca ab"])
    write_manifest(tmp_path / "train.jsonl", made)
    text_only = TextOnlyConfig(
        dictionary=tmp_path / "dictionary.txt", texts=(tmp_path / "texts.txt",), sentences=4
    )
    recipe = config().model_copy(
        update={
            "model": MODEL.model_copy(update={"p2g_layers": 1, "p2g_size": 24}),
            "intermediate_weight": 0.5,
        }
    )

    def train(text_only: TextOnlyConfig, epochs: int, name: str, start: Path | None) -> Path:
        training = config(epochs=epochs, validate_every=epochs).training
        task = SpeechTask(
            recipe.model_copy(update={"text_only": text_only, "training": training}), made, made
        )
        task.prepare(join_group("cpu"))
        return fit(task, training, tmp_path / name, start_from=start, device="cpu").last

    def spell(model: Path) -> str:
        """Return the most frequent transcript of synthetic posteriors of "ba dc"."""
        network, random = load_acoustic_model(model, "cpu"), np.random.default_rng(9)
        tokenizer = restore_tokenizer(checkpoint.read_header(model).tokenizer)
        units = [WORD_BOUNDARY, *(pronunciations.encode("ba dc") or []), WORD_BOUNDARY]
        texts = Counter[str]()
        for _ in range(9):
            phones = torch.from_numpy(segments.synthesise(units, random).astype(np.float32))
            log_probs, _ = network.decode_phones(phones[None], torch.tensor([len(phones)]))
            texts[tokenizer.decode(greedy(log_probs[0].detach().numpy()).tokens)] += 1
        return texts.most_common(1)[0][0]

    first = train(text_only, 80, "first", None)
    recogniser = pipeline.load_recogniser(first, "cpu")
    assert recogniser.transcribe(say("dab ba"), 16000).text == "dab ba"
    network = load_acoustic_model(first, "cpu")
    script = module(RECIPE / "segments.py")
    pronunciations = Pronunciations.read(tmp_path / "dictionary.txt")
    for change in ("WAVE", "SPEC"):  # masks and filters would remove the tones
        monkeypatch.setattr(script, change, None)
    segments = script.collect_segments(network, made, pronunciations)
    with pytest.raises(DataError, match=r"lacks a word of every recording"):
        script.collect_segments(network, made, Pronunciations({}))
    assert set(np.unique(segments.labels)) == {1, 2, 8, 9, 10} and len(segments.lengths) == len(made)
    segments.save(tmp_path / "segments.npz")

    with_segments = text_only.model_copy(update={"segments": tmp_path / "segments.npz"})
    second = train(with_segments, 90, "second", first)
    assert spell(first) != "ba dc" and spell(second) == "ba dc"
    assert pipeline.load_recogniser(second, "cpu").transcribe(say("dab ba"), 16000).text == "dab ba"


def test_pronunciations_of_possessives_are_derived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dictionary = module(RECIPE / "dictionary.py")
    (tmp_path / "first.txt").write_text("cat K AE1 T\nfox F AA1 K S\ndo D UW1\n")
    first = Pronunciations.read(tmp_path / "first.txt")
    found = {
        word: [" ".join(phones) for phones in dictionary.pronunciations(word, first)]
        for word in ("cat's", "fox's", "do's")
    }
    assert found == {"cat's": ["K AE T S"], "fox's": ["F AA K S IH Z"], "do's": ["D UW Z"]}
    assert dictionary.pronunciations("'cat", first) == dictionary.pronunciations("cat", first)
    assert dictionary.pronunciations("dog", first) == dictionary.pronunciations("dog's", first) == []


def test_the_mean_of_two_models_is_weighted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last, start, out = (tmp_path / f"{name}.safetensors" for name in ("last", "start", "out"))
    header = checkpoint.Header("speech", {}, {}, {}, {"epochs": 2})
    checkpoint.save(last, {"w": torch.tensor([1.0, 0.0])}, header)
    checkpoint.save(start, {"w": torch.tensor([0.0, 2.0])}, checkpoint.Header("speech"))
    average = partial(run, RECIPE / "average.py", monkeypatch=monkeypatch)
    average(last, start, "--share", 0.25, "-o", out)
    stored = checkpoint.load(out)
    assert stored.weights["w"].tolist() == [0.75, 0.5] and stored.header.card == {"epochs": 2}
    checkpoint.save(start, {"w": torch.zeros(3)}, header)
    with pytest.raises(SystemExit):
        average(last, start, "-o", out)
