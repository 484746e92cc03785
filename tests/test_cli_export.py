"""`audioseq models export --format onnx`: files that transcribe, and what has no such form."""

from __future__ import annotations

from pathlib import Path

import pytest

from audioseq import checkpoint
from audioseq.cli.main import run
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
