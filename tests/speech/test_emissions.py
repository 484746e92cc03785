"""Acoustic models in ONNX Runtime: the same emissions as in torch, exported files, and errors."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import audio, checkpoint
from audioseq.audio.features import LogMel
from audioseq.audio.mel import F_MAX, F_MIN, N_FFT, mel_filters
from audioseq.checkpoint import Header
from audioseq.errors import AudioseqError, CheckpointError, ConfigError
from audioseq.speech import pipeline
from audioseq.speech.config import SpeechConfig
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.emissions import choose_runtime, load_emission_model, to_onnx
from audioseq.speech.model import build
from audioseq.text.subwords import SubwordTokenizer
from audioseq.text.tokenizer import CharTokenizer, Tokenizer
from tests.speech import tiny

BASE = tiny.config()
SMALL = tiny.MODEL.model_copy(update={"lower_size": 6, "upper_size": 5, "channels": (4, 6)})
KINDS: dict[str, tuple[SpeechConfig, Tokenizer]] = {
    "characters": (BASE.model_copy(update={"model": SMALL}), CharTokenizer()),
    "subwords": (
        BASE.model_copy(update={"model": SMALL.model_copy(update={"lower_layers": 2}), "subwords": 60}),
        SubwordTokenizer.learn(["the cat sat", "the hat"], 60),
    ),
    "p2g": (
        BASE.model_copy(
            update={
                "model": SMALL.model_copy(
                    update={"p2g_layers": 1, "p2g_size": 7, "frame_stacking": 3, "hop_length": 112}
                ),
                "subwords": 60,
            }
        ),
        SubwordTokenizer.learn(["the cat sat", "the hat"], 60),
    ),
    "unidirectional gru": (
        BASE.model_copy(update={"model": SMALL.model_copy(update={"cell": "gru", "bidirectional": False})}),
        CharTokenizer(),
    ),
}


def save(path: Path, kind: str) -> Path:
    """Save a model with random weights."""
    config, tokenizer = KINDS[kind]
    torch.manual_seed(1)
    model = build(config, tokenizer)
    model.log_mel.set_statistics(torch.linspace(-9, -5, 20), torch.linspace(1, 3, 20))
    header = Header("speech", config.model_dump(mode="json"), tokenizer=tokenizer.to_dict())
    checkpoint.save(path, model.state_dict(), header)
    return path


@pytest.fixture(scope="module", params=list(KINDS))
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model") / "a.safetensors", request.param)


def recording(samples: int, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@settings(deadline=None, max_examples=8)
@given(lengths=st.lists(st.integers(1, 20_000), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_emissions_equal_those_of_torch(model: Path, lengths: list[int], seed: int) -> None:
    waveforms = [recording(length, seed + i) for i, length in enumerate(lengths)]
    onnx_model, header = load_emission_model(model, "cpu", "onnx")
    torch_model, other = load_emission_model(model, "cpu", "torch")
    assert onnx_model.frame_seconds == torch_model.frame_seconds and header == other
    for found, expected in zip(onnx_model.compute(waveforms), torch_model.compute(waveforms), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_both_runtimes_have_the_same_weights(model: Path) -> None:
    first, second = (load_emission_model(model, "cpu", name)[0].weights() for name in ("onnx", "torch"))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("int8", [False, True])
def test_an_exported_file_transcribes_as_the_model(int8: bool, tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", "p2g")
    stored = checkpoint.load(path)
    exported = tmp_path / "a.onnx"
    exported.write_bytes(to_onnx(KINDS["p2g"][0], stored, int8=int8))
    onnx.checker.check_model(onnx.load(exported))
    assert checkpoint.read_header(exported) == stored.header
    (found,), (expected,) = (
        load_emission_model(file, "cpu")[0].compute([recording(30_000, 0)]) for file in (exported, path)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.2 if int8 else 1e-6)
    recogniser = pipeline.load_recogniser(exported)
    assert recogniser.transcribe(recording(30_000, 0), 16_000).duration == 30_000 / 16_000
    assert recogniser.model.weights().keys() == {""}


def test_filters_equal_those_of_torchaudio() -> None:
    for bands in (20, 80):
        filters = mel_filters(N_FFT, bands, F_MIN, F_MAX, 16_000)
        np.testing.assert_allclose(filters, LogMel(n_mels=bands).filters.numpy(), rtol=1e-3, atol=1e-6)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Files that are not ONNX models of audioseq, each with the message about it."""
    path = save(tmp_path / "a.safetensors", "characters")
    stored = checkpoint.load(path)
    content = to_onnx(KINDS["characters"][0], stored)
    other = onnx.load_from_string(content)
    other.producer_name = "pytorch"
    music = replace(stored, header=replace(stored.header, task="music"))
    made = {
        "is not an ONNX file of audioseq; write one with": other.SerializeToString(),
        "is damaged or not a model file .it is truncated": content[:200],
        "is damaged or not a model file .*; download or export": content[:-2000],
        "is a model for music, not for speech": to_onnx(KINDS["characters"][0], music),
        "is not an ONNX file": b"",
    }
    paths = {}
    for number, (message, content) in enumerate(made.items()):
        paths[message] = tmp_path / f"{number}.onnx"
        paths[message].write_bytes(content)
    return paths


def test_files_that_are_not_onnx_models(files: dict[str, Path], tmp_path: Path) -> None:
    for message, path in files.items():
        with pytest.raises(CheckpointError, match=message) as caught:
            pipeline.load_recogniser(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="is an ONNX file, which only transcribes"):
        checkpoint.load(tmp_path / "3.onnx")


def test_weights_that_do_not_match_the_config(tmp_path: Path) -> None:
    stored = checkpoint.load(save(tmp_path / "a.safetensors", "p2g"))
    for name in ("upper.layers.0.forward_layer.weight_hh_l0", "log_mel.std", "phone_head.linear.bias"):
        for change in ("missing", "size", "infinite"):
            weights = dict(stored.weights)
            weight = weights.pop(name)
            if change == "size":
                weights[name] = weight[:-1].clone()
            elif change == "infinite":
                weights[name] = weight / 0
            checkpoint.save(tmp_path / "b.safetensors", weights, stored.header)
            with pytest.raises(CheckpointError, match=r"b\.safetensors: "):
                load_emission_model(tmp_path / "b.safetensors", "cpu", "onnx")


def test_the_runtime_depends_on_the_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert choose_runtime("auto", "auto") == choose_runtime("cpu", "auto") == "onnx"
    assert choose_runtime("cuda", "auto") == choose_runtime("cpu", "torch") == "torch"
    with pytest.raises(ConfigError, match="device cuda: ONNX Runtime runs on the CPU only"):
        choose_runtime("cuda", "onnx")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/nvidia-smi")
    assert choose_runtime("auto", "auto") == "torch" and choose_runtime("cpu", "auto") == "onnx"
    monkeypatch.setitem(sys.modules, "torch", None)  # not installed
    assert choose_runtime("auto", "auto") == "onnx"
    with pytest.raises(ConfigError, match="runtime torch: is not installed; run: pip install torch"):
        choose_runtime("cuda", "auto")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match="runtime onnx: is not installed"):
        choose_runtime("cpu", "onnx")
    path = tmp_path / "a.onnx"
    path.write_bytes(b"")
    with pytest.raises(AudioseqError, match="is an ONNX file, which ONNX Runtime runs on the CPU only"):
        load_emission_model(path, "cuda")


WITHOUT = "torch torchaudio scipy librosa matplotlib pretty_midi mido numba"


def test_recordings_are_transcribed_without_torch(tmp_path: Path) -> None:
    """In a process in which only the packages of the light installation can be imported."""
    path = save(tmp_path / "a.safetensors", "p2g")
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({WITHOUT!r}.split()))\n"
        "from audioseq.cli.main import run\n"
        f"codes = [run(['transcribe', 'assets/hello.flac', '-m', {str(path)!r}, '--words', '-f', 'json'])]\n"
        f"print(*codes, run(['compose', '-o', {str(tmp_path / 'a.mid')!r}]), run(['info']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert '"duration": 4.735' in done.stdout and done.stdout.endswith("0 1 0\n"), done
    assert "torch\tnot installed" in done.stdout
    message = "which is not installed; run: pip install audioseq (without --no-deps)"
    assert done.stderr.splitlines()[-1].endswith(message)


@pytest.mark.slow
def test_200_recordings_have_the_same_text_in_both_runtimes(data_root: Path) -> None:
    """Probabilities differ by rounding only, and so little that no text differs."""
    recordings = sorted((data_root / "speech" / "CommonVoice13-part" / "clips").glob("*.opus"))[::6][:200]
    assert len(recordings) == 200
    recognisers = [pipeline.load_recogniser(None, "cpu", name) for name in ("onnx", "torch")]
    largest = 0.0
    for path in recordings:
        waveform = audio.load(path)
        (found,), (expected,) = (each.model.compute([waveform]) for each in recognisers)
        largest = max(largest, float(np.abs(np.exp(found) - np.exp(expected)).max()))
        texts = [recognisers[0].tokenizer.decode(greedy(each).tokens) for each in (found, expected)]
        assert texts[0] == texts[1], path
    print(f"largest difference of a probability: {largest:.1e}")
    assert largest < 1e-3
