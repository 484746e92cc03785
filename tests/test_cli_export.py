"""`audioseq models export --format onnx`: files that transcribe, and what has no such form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from audioseq import checkpoint
from audioseq.cli.main import run
from audioseq.models import open_model
from audioseq.runtime.session import Session
from audioseq.speech.config import SpeechConfig
from audioseq.speech.stream_graph import OnnxWindowModel
from audioseq.speech.windows import Window
from tests.speech.test_emissions import save


@pytest.mark.parametrize("options", [[], ["--int8"]])
def test_an_exported_graph_transcribes(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, target = save(tmp_path / "a.safetensors", "subwords"), tmp_path / "a.onnx"
    line = ["models", "export", str(model), "--format", "onnx", "-o", str(target), *options]
    assert run(line) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert checkpoint.read_header(target) == checkpoint.read_header(model)
    assert run(["transcribe", "assets/hello.flac", "-m", str(target), "-f", "json"]) == 0
    assert '"duration": 4.735' in capsys.readouterr().out
    assert run(["models", "show", str(target)]) == 0
    assert '"task": "speech"' in capsys.readouterr().out
    assert run(line) == 1 and "already exists" in capsys.readouterr().err
    assert run(["transcribe", "assets/hello.flac", "-m", str(target), "--runtime", "torch"]) == 1
    assert "is an ONNX file, which ONNX Runtime runs on the CPU only" in capsys.readouterr().err


def test_models_and_names_without_an_onnx_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "a.onnx")
    assert run(["models", "export", "chorale", "--format", "onnx", "-o", target]) == 1
    assert "is a model for harmony, which has no ONNX form; name a speech model" in capsys.readouterr().err
    assert run(["models", "export", "digits", "-o", target]) == 2
    assert "the suffix .onnx is for --format onnx" in capsys.readouterr().err
    assert run(["models", "export", "digits", "--format", "onnx", "-o", str(tmp_path / "a.bin")]) == 2
    assert not list(tmp_path.iterdir())


def test_the_graph_of_a_stream_computes_windows_and_does_not_transcribe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, target = save(tmp_path / "a.safetensors", "subwords"), tmp_path / "stream.onnx"
    line = ["models", "export", str(model), "--format", "onnx-stream", "-o", str(target)]
    assert run(line) == 0
    onnx.checker.check_model(onnx.load(target))
    session = Session(target.read_bytes(), "stream")
    config, stored = open_model(model, "speech", SpeechConfig)
    reference = OnnxWindowModel(config, stored.arrays, "reference")
    waveform = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    window = Window(0, 90, 0, 20, 8)
    expected, states = reference.compute_window(waveform, window, None)
    inputs: dict[str, Any] = {"waveform": waveform[None], "window": np.array([0, 90, 0, 20, 8])}
    inputs |= {f"state{i}": np.zeros_like(state) for i, state in enumerate(states)}
    found, first = session(["log_probs", "next_state0"], inputs)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(first, states[0])
    assert run([*line, "--int8", "--force"]) == 2
    capsys.readouterr()
    assert run(["transcribe", "assets/hello.flac", "-m", str(target)]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert "is a model for streams of speech, not for speech" in error
