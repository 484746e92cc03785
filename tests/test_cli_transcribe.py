"""`audioseq transcribe` on many recordings: what it takes, what it writes, and how it goes on."""

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
    (tmp_path / "clips" / "1" / "4.wav").write_text("no sound")
    monkeypatch.chdir(tmp_path)
    return Path("clips")


def said(capsys: Captured) -> dict[str, str]:
    """Return what was heard, by paths."""
    return dict(line.split("\t") for line in capsys.readouterr().out.splitlines())


def errors(capsys: Captured) -> list[str]:
    """Return the lines of stderr without the warnings: noise is no speech."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith("warning: ")]


def test_all_ways_to_name_recordings_lead_to_the_same(
    clips: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = ["clips/0/0.wav", "clips/0/3.wav", "clips/1/1.wav"]
    assert run(["transcribe", "clips", "-m", model]) == 1
    expected = said(capsys)
    assert list(expected) == paths
    assert run(["transcribe", "clips/**/[013].wav", "-m", model]) == 0
    assert said(capsys) == expected
    Path("list.txt").write_text("\n".join(paths[::-1]))
    assert run(["transcribe", "--list", "list.txt", "-m", model]) == 0
    listed = said(capsys)
    assert listed == expected and list(listed) == paths[::-1]
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO("\n".join(paths[1:]).encode())))
    assert run(["transcribe", paths[0], "--list", "-", "-m", model]) == 0
    assert said(capsys) == expected
    Path("some.jsonl").write_text(
        '{"audio_filepath": "clips/0/3.wav", "duration": 99}\n'
        '{"audio_filepath": "clips/0/3.wav", "offset": 0.1, "duration": 0.1}\n'
    )
    assert run(["transcribe", "some.jsonl", "-m", model, "-f", "json"]) == 0
    whole, stretch = map(json.loads, capsys.readouterr().out.splitlines())
    assert whole["text"] == expected[paths[1]] and stretch["duration"] == 0.1


def test_a_folder_is_gone_on_with(clips: Path, model: str, capsys: Captured) -> None:
    command = ["transcribe", "clips", "-m", model, "-o", "out"]
    assert run(command) == 1
    failure, summary = errors(capsys)
    assert failure.startswith("error: ") and "clips/1/4.wav" in failure
    assert summary.startswith("3 transcribed, 0 done before, 1 failed") and "out/results.jsonl" in summary
    assert sorted(path.as_posix() for path in Path("out").rglob("*.txt")) == [
        "out/0/0.txt", "out/0/3.txt", "out/1/1.txt",
    ]  # fmt: skip
    Path("out/0/3.txt").unlink()
    assert run([*command, "--resume"]) == 1
    assert "1 transcribed, 2 done before, 1 failed" in capsys.readouterr().err
    (clips / "1" / "4.wav").unlink()
    assert run([*command, "--resume"]) == 0
    assert "0 transcribed, 3 done before, 0 failed" in capsys.readouterr().err
    assert run([*command, "--resume", "--force"]) == 0
    assert "0 transcribed, 3 done before, 0 failed" in capsys.readouterr().err
    assert run([*command, "--force"]) == 0
    assert "3 transcribed, 0 done before, 0 failed" in capsys.readouterr().err


def test_parts(clips: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["transcribe", "clips", "-m", model])
    expected = said(capsys)
    found: dict[str, str] = {}
    for part in ("1/2", "2/2"):
        run(["transcribe", "clips", "-m", model, "--shard", part])
        found |= said(capsys)
    assert found == expected
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run(["transcribe", "clips", "-m", model, "-o", "out"])
    told = capsys.readouterr().err.splitlines()
    assert "part 2/2" in told[0] and "--shard 1/1" in told[0]
    assert told[-1].startswith("part 2/2: ") and "out/results-2-of-2.jsonl" in told[-1]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["transcribe", "clips/*.ogg"], "clips/*.ogg: matches no recordings"),
        (["transcribe", "--list", "none.txt"], "none.txt: cannot be read"),
        (["transcribe", "clips", "--shard", "3/2"], "shard '3/2': is no part"),
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
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith(f"error: {line}") and told.err.count("\n") == 1


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
    told = capsys.readouterr()
    assert told.out == "" and "Usage: audioseq" in told.err


def test_a_missing_path_in_a_list_is_one_line(clips: Path, model: str, capsys: Captured) -> None:
    Path("list.txt").write_text("clips/0/0.wav\nmissing.wav\nclips/1/1.wav\n")
    assert run(["transcribe", "--list", "list.txt", "-m", model, "-o", "out"]) == 1
    told = errors(capsys)
    assert told[0] == "error: missing.wav: no such file; check the path" and len(told) == 2
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
    assert len(said(capsys)) == 3


@pytest.mark.slow
def test_torchrun_does_all_even_if_one_is_bad(clips: Path, model: str) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "audioseq", "transcribe", "clips", "-m", model, "-o", "out"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1
    assert len(list(Path("out").rglob("*.txt"))) == 3
    journals = sorted(Path("out").glob("results*.jsonl"))
    assert [path.name for path in journals] == ["results-1-of-2.jsonl", "results-2-of-2.jsonl"]
    assert sum(len(path.read_text().splitlines()) for path in journals) == 4
