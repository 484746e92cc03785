"""`audioseq transcribe` on many recordings: inputs, outputs, and resuming."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from audioseq.cli.main import run
from tests.speech import babbler

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(babbler.make(tmp_path_factory.mktemp("model")))


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with four recordings in folders `0`, `1` and `2`, the last of which is damaged."""
    for path in babbler.record(tmp_path / "clips", 5):
        if path.stem == "2":  # the long one
            path.unlink()
    (tmp_path / "clips" / "1" / "4.wav").write_text("not a recording")
    monkeypatch.chdir(tmp_path)
    return Path("clips")


def transcripts(capsys: Captured) -> dict[str, str]:
    """Return the printed transcripts by path."""
    return dict(line.split("\t") for line in capsys.readouterr().out.splitlines())


def errors(capsys: Captured) -> list[str]:
    """Return the lines of stderr without the warnings that noise contains no speech."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith("warning: ")]


def test_folders_patterns_lists_and_manifests_give_the_same_transcripts(
    clips: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ["clips/0/0.wav", "clips/0/3.wav", "clips/1/1.wav"]
    assert run(["transcribe", "clips", "-m", model]) == 1
    expected = transcripts(capsys)
    assert list(expected) == paths
    assert run(["transcribe", "clips/**/[013].wav", "-m", model]) == 0
    assert transcripts(capsys) == expected
    Path("list.txt").write_text("\n".join(paths[::-1]))
    assert run(["transcribe", "--list", "list.txt", "-m", model]) == 0
    listed = transcripts(capsys)
    assert listed == expected and list(listed) == paths[::-1]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\n".join(paths[1:]).encode())))
    assert run(["transcribe", paths[0], "--list", "-", "-m", model]) == 0
    assert transcripts(capsys) == expected
    Path("some.jsonl").write_text(
        '{"audio_filepath": "clips/0/3.wav", "duration": 99}\n'
        '{"audio_filepath": "clips/0/3.wav", "offset": 0.1, "duration": 0.1}\n'
    )
    assert run(["transcribe", "some.jsonl", "-m", model, "-f", "json"]) == 0
    whole, part = map(json.loads, capsys.readouterr().out.splitlines())
    assert whole["text"] == expected[paths[1]] and part["duration"] == 0.1


def test_a_run_is_resumed(clips: Path, model: str, capsys: Captured) -> None:
    command = ["transcribe", "clips", "-m", model, "-o", "out"]
    assert run(command) == 1
    failure, summary = errors(capsys)
    assert failure.startswith("error: ") and "clips/1/4.wav" in failure
    assert summary.startswith("3 transcribed, 0 skipped, 1 failed") and "out/results.jsonl" in summary
    assert sorted(path.as_posix() for path in Path("out").rglob("*.txt")) == [
        "out/0/0.txt", "out/0/3.txt", "out/1/1.txt",
    ]  # fmt: skip
    Path("out/0/3.txt").unlink()
    assert run([*command, "--resume"]) == 1
    assert "1 transcribed, 2 skipped, 1 failed" in capsys.readouterr().err
    (clips / "1" / "4.wav").unlink()
    assert run([*command, "--resume"]) == 0
    assert "0 transcribed, 3 skipped, 0 failed" in capsys.readouterr().err
    assert run([*command, "--resume", "--force"]) == 0
    assert "0 transcribed, 3 skipped, 0 failed" in capsys.readouterr().err
    assert run([*command, "--force"]) == 0
    assert "3 transcribed, 0 skipped, 0 failed" in capsys.readouterr().err


def test_shards(clips: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["transcribe", "clips", "-m", model])
    expected = transcripts(capsys)
    found: dict[str, str] = {}
    for part in ("1/2", "2/2"):
        run(["transcribe", "clips", "-m", model, "--shard", part])
        found |= transcripts(capsys)
    assert found == expected
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run(["transcribe", "clips", "-m", model, "-o", "out"])
    printed = capsys.readouterr().err.splitlines()
    assert "part 2/2" in printed[0] and "--shard 1/1" in printed[0]
    assert printed[-1].startswith("part 2/2: ") and "out/results-2-of-2.jsonl" in printed[-1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["transcribe", "clips/*.ogg"], "clips/*.ogg: matches no recordings"),
        (["transcribe", "--list", "none.txt"], "none.txt: cannot be read"),
        (["transcribe", "clips", "--shard", "3/2"], "shard '3/2': is not a part"),
        (["transcribe", "clips", "-o", "clips/0/0.wav/out"], "clips/0/0.wav/out: cannot be written"),
        (["transcribe", "empty.jsonl"], "empty.jsonl: has no utterances"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(
    arguments: list[str], line: str, clips: Path, model: str, capsys: Captured
) -> None:
    Path("empty.jsonl").touch()
    assert run([*arguments, "-m", model]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(f"error: {line}") and printed.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["transcribe", "a.wav", "--resume"],
        ["transcribe", "-", "--list", "-"],
        ["transcribe", "--list", "list.txt", "-f", "srt"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str], clips: Path, capsys: Captured) -> None:
    Path("list.txt").write_text("a.wav")
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Usage: audioseq" in printed.err


def test_a_missing_path_in_a_list_is_one_line(clips: Path, model: str, capsys: Captured) -> None:
    Path("list.txt").write_text("clips/0/0.wav\nmissing.wav\nclips/1/1.wav\n")
    assert run(["transcribe", "--list", "list.txt", "-m", model, "-o", "out"]) == 1
    printed = errors(capsys)
    assert printed[0] == "error: missing.wav: no such file; check the path" and len(printed) == 2
    assert sorted(path.name for path in Path("out/clips").rglob("*.txt")) == ["0.txt", "1.txt"]


def test_progress_is_shown_on_a_terminal(
    clips: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run(["transcribe", "clips", "-m", model]) == 1
    assert "transcribing 4/4" in terminal.getvalue()
    assert len(transcripts(capsys)) == 3


@pytest.mark.slow
def test_torchrun_transcribes_all_even_if_one_is_bad(clips: Path, model: str) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "audioseq", "transcribe", "clips", "-m", model, "-o", "out"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert len(list(Path("out").rglob("*.txt"))) == 3
    journals = sorted(Path("out").glob("results*.jsonl"))
    assert [path.name for path in journals] == ["results-1-of-2.jsonl", "results-2-of-2.jsonl"]
    assert sum(len(path.read_text().splitlines()) for path in journals) == 4
