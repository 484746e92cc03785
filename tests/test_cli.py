"""The command line: stdout and stderr, exit codes, and bad input."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import audioseq
from audioseq import audio
from audioseq.cli.main import run
from audioseq.errors import AudioError

ONE_SECOND = "hi" * 12
"""Transcript of the first 0.96 seconds by the model of these tests, for any recording."""

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of a small model that outputs "hi" for any input, one letter per frame of 40 ms."""
    import torch

    from audioseq import checkpoint
    from audioseq.checkpoint import Header
    from audioseq.speech.config import SpeechConfig
    from audioseq.speech.model import build
    from audioseq.text.tokenizer import CharTokenizer

    config = SpeechConfig.model_validate(
        {
            "data": {"train": [], "valid": []},
            "model": {"channels": (4, 8), "lower_size": 8, "upper_size": 8, "n_mels": 16},
        }
    )
    tokenizer = CharTokenizer()
    network = build(config, tokenizer)
    with torch.no_grad():
        network.head.linear.weight.zero_()
        network.head.linear.bias.zero_()
        for frame, token in enumerate(tokenizer.encode("hi")):
            network.head.linear.bias[frame * tokenizer.size + token] = 20
    path = tmp_path_factory.mktemp("model") / "hi.safetensors"
    header = Header(
        "speech",
        config.model_dump(mode="json"),
        network.log_mel.options,
        tokenizer.to_dict(),
        {"limits": "outputs hi"},
    )
    checkpoint.save(path, network.state_dict(), header)
    return str(path)


def record(path: Path, seconds: float = 1.0) -> Path:
    """Write a recording of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(scale=0.1, size=round(seconds * 16_000))
    audio.write(path, noise.astype(np.float32), 16_000)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a recording, and another recording in a subfolder."""
    record(tmp_path / "talks" / "one.wav")
    record(tmp_path / "talks" / "later" / "two.flac")
    return tmp_path / "talks"


def test_text_goes_to_stdout_and_nothing_to_stderr(folder: Path, model: str, capsys: Captured) -> None:
    assert run(["transcribe", str(folder / "one.wav"), "-m", model]) == 0
    printed = capsys.readouterr()
    assert (
        printed.out.startswith(ONE_SECOND)
        and set(printed.out) == set("hi\n")
        and printed.out.count("\n") == 1
    )
    assert printed.err == ""


def test_several_recordings_are_printed_with_paths_and_a_bad_one_is_skipped(
    folder: Path, model: str, capsys: Captured
) -> None:
    one, two, missing = folder / "one.wav", folder / "later" / "two.flac", folder / "missing.wav"
    assert run(["transcribe", str(one), str(missing), str(two), "-m", model]) == 1
    printed = capsys.readouterr()
    assert [line.split("\t")[0] for line in printed.out.splitlines()] == [str(one), str(two)]
    assert printed.err.startswith("error: ") and str(missing) in printed.err and printed.err.count("\n") == 1


def test_a_folder_is_searched_recursively(folder: Path, model: str, capsys: Captured) -> None:
    (folder / "notes.txt").write_text("not a recording")
    assert run(["transcribe", str(folder), "-m", model]) == 0
    paths = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(paths) == sorted([str(folder / "later" / "two.flac"), str(folder / "one.wav")])


def test_a_folder_without_recordings_is_an_error(tmp_path: Path, capsys: Captured) -> None:
    assert run(["transcribe", str(tmp_path)]) == 1  # without loading a model
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and str(tmp_path) in printed.err


def test_json_prints_one_object_per_line_with_optional_words(
    folder: Path, model: str, capsys: Captured
) -> None:
    assert run(["transcribe", str(folder), "-m", model, "-f", "json", "--words"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 2
    for transcript in found:
        assert transcript["duration"] == 1.0
        (word,) = transcript["words"]
        assert word["word"] == transcript["text"]
        assert 0 <= word["start"] < word["end"] <= 1.0 and word["confidence"] > 0.9
    assert run(["transcribe", str(folder), "-m", model, "-f", "json"]) == 0
    assert all(json.loads(line)["words"] == [] for line in capsys.readouterr().out.splitlines())


def test_warnings_are_printed_and_stored_in_json(tmp_path: Path, model: str, capsys: Captured) -> None:
    audio.write(tmp_path / "quiet.wav", np.full(16_000, 1e-4, np.float32))
    assert run(["transcribe", str(tmp_path / "quiet.wav"), "-m", model, "-f", "json"]) == 0
    printed = capsys.readouterr()
    (warning,) = json.loads(printed.out)["warnings"]
    assert "very quiet" in warning
    assert printed.err == f"warning: {tmp_path / 'quiet.wav'}: {warning}\n"


def test_output_files_keep_the_folder_structure_and_are_not_overwritten(
    folder: Path, tmp_path: Path, model: str, capsys: Captured
) -> None:
    out = tmp_path / "out"
    command = ["transcribe", str(folder), "-m", model, "-f", "srt", "-o", str(out)]
    assert run(command) == 0
    assert capsys.readouterr().out == ""
    one, two = out / "one.srt", out / "later" / "two.srt"
    assert one.read_text().startswith("1\n00:00:00,") and two.exists()
    one.write_text("corrected by hand")
    two.unlink()
    assert run(command) == 1
    assert one.read_text() == "corrected by hand" and two.exists()
    assert "--force" in capsys.readouterr().err
    assert run([*command, "--force"]) == 0
    assert one.read_text().startswith("1\n")


def test_two_recordings_cannot_have_the_same_output_file(
    folder: Path, tmp_path: Path, model: str, capsys: Captured
) -> None:
    record(folder / "one.flac")
    command = ["transcribe", str(folder / "one.wav"), str(folder / "one.flac"), "-m", model]
    assert run([*command, "-o", str(tmp_path / "out"), "--force"]) == 1
    assert str(folder / "one.wav") in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("*.txt"))) == 1


def test_an_impossible_output_folder_is_one_line(folder: Path, model: str, capsys: Captured) -> None:
    one = folder / "one.wav"
    assert run(["transcribe", str(one), "-m", model, "-o", str(one / "out")]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1


def test_a_recording_is_read_from_stdin(
    folder: Path, model: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO((folder / "one.wav").read_bytes()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run(["transcribe", "-", "-m", model, "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == "-"


def text(path: Path) -> None:
    path.write_text("not a recording")


def samples(*values: float) -> Callable[[Path], None]:
    return lambda path: sf.write(path, np.array(values, np.float32), 16_000, subtype="FLOAT", format="WAV")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.touch, id="empty"),
        pytest.param(text, id="text"),
        pytest.param(Path.mkdir, id="a folder without audio"),
        pytest.param(samples(), id="no samples"),
        pytest.param(samples(0.0, float("nan"), 0.0), id="not a number"),
        pytest.param(samples(0.0, float("inf"), 0.0), id="infinite"),
    ],
)
def test_bad_recordings_are_one_line_errors(
    make: Callable[[Path], None], tmp_path: Path, model: str, capsys: Captured
) -> None:
    path = tmp_path / "bad.wav"
    make(path)
    assert run(["transcribe", str(path), "-m", model]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1 and str(path) in printed.err


@pytest.mark.parametrize("count", [1, 2, 800])
def test_very_short_recordings_are_transcribed(
    count: int, tmp_path: Path, model: str, capsys: Captured
) -> None:
    path = tmp_path / "short.wav"
    sf.write(path, np.full(count, 0.1, np.float32), 16_000)
    assert run(["transcribe", str(path), "-m", model]) == 0
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["transcribe"],
        ["transcribe", "a.wav", "-f", "doc"],
        ["transcribe", "a.wav", "--no-such-option"],
        ["transcribe", "a.wav", "--words"],
        ["transcribe", "a.wav", "--force"],
        ["transcribe", "a.wav", "b.wav", "-f", "srt"],
        ["evaluate", "digits"],
        ["train"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str], capsys: Captured) -> None:
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "Usage: audioseq" in printed.err


@pytest.mark.parametrize("task", ["[]", "{a = 1}", "'none'"])
def test_an_unknown_task_is_one_line(task: str, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "config.toml").write_text(f"task = {task}\n")
    assert run(["train", str(tmp_path / "config.toml")]) == 1
    printed = capsys.readouterr().err
    assert "config.toml: task is " in printed and printed.count("\n") == 1


def test_an_unknown_model_lists_the_known_models(folder: Path, capsys: Captured) -> None:
    assert run(["transcribe", str(folder / "one.wav"), "-m", "digit"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1 and "digits" in printed


def test_an_unknown_device_is_one_line(folder: Path, model: str, capsys: Captured) -> None:
    assert run(["transcribe", str(folder / "one.wav"), "-m", model, "--device", "abacus"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1 and "abacus" in printed


def fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*args: object, **options: object) -> Any:
        raise error

    return fail


def test_an_interrupt_exits_with_130(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr("audioseq.speech.pipeline.load_recogniser", fail_with(KeyboardInterrupt()))
    assert run(["transcribe", str(folder)]) == 130
    assert capsys.readouterr().out == ""


def test_bugs_show_their_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioseq.speech.pipeline.load_recogniser", fail_with(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        run(["transcribe", str(folder)])


def test_user_errors_are_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(
        "audioseq.speech.pipeline.load_recogniser", fail_with(AudioError("what, where, what to do"))
    )
    assert run(["transcribe", str(folder)]) == 1
    assert capsys.readouterr().err == "error: what, where, what to do\n"


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe is reported differently on Windows")
def test_a_closed_pipe_is_not_an_error(folder: Path, model: str) -> None:
    command = [sys.executable, "-m", "audioseq", "transcribe", "-m", model, *[str(folder / "one.wav")] * 100]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().endswith(b"hi\n")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_evaluate(folder: Path, model: str, capsys: Captured) -> None:
    manifest = folder / "test.jsonl"
    line = '{"audio_filepath": "%s", "duration": 1.0, "text": "%s"}\n'
    manifest.write_text(line % ("one.wav", "Hello there!") + line % ("later/two.flac", "hello"))
    assert run(["evaluate", model, str(manifest), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (
        report["wer"] == 1.0
    )  # the hypotheses have one word each: two substitutions and a deletion in three words
    assert report["words"]["substitutions"] == 2 and report["words"]["deletions"] == 1
    assert run(["evaluate", model, str(manifest)]) == 0
    table = capsys.readouterr().out
    assert "WER" in table and "CER" in table and "hello" in table


def test_models(model: str, capsys: Captured) -> None:
    assert run(["models", "list"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0][:2] == ["english-small", "speech"]
    assert run(["models", "show", model]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["task"] == "speech" and shown["card"]["limits"] == "outputs hi" and shown["bytes"] > 1000
    assert run(["models", "fetch", "no-such-model"]) == 1
    assert "digits" in capsys.readouterr().err


def test_export_writes_half_precision_and_results(model: str, tmp_path: Path, capsys: Captured) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"headline": "1.00 %", "long": list(range(99))}))
    small = tmp_path / "small.safetensors"
    line = ["models", "export", model, "-o", str(small), "--results", str(results)]
    assert run(line) == 0
    assert small.stat().st_size < 0.6 * Path(model).stat().st_size
    assert run(["models", "show", str(small)]) == 0
    shown = capsys.readouterr().out
    assert '"headline": "1.00 %"' in shown and '"long": "99 values"' in shown
    assert run(line) == 1
    assert "--force overwrites it" in capsys.readouterr().err
    results.write_text("not JSON")
    assert run([*line, "--force"]) == 1
    assert "cannot be read as JSON" in capsys.readouterr().err


def test_info(capsys: Captured) -> None:
    assert run(["info"]) == 0
    facts = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert facts["audioseq"] == audioseq.__version__
    assert {"python", "torch", "torchaudio", "soundfile", "cpu"} <= set(facts)


def test_version(capsys: Captured) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"audioseq {audioseq.__version__}\n"


def test_train_passes_all_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text("{}\n")
    passed: dict[str, Any] = {}

    def train(source: Path, **options: Any) -> Any:
        passed.update(options, source=source)
        return SimpleNamespace(best=Path("runs/mine/best.safetensors"))

    monkeypatch.setattr("audioseq.speech.task.train", train)
    line = "--valid other.jsonl --from digits --set training.epochs=2 --set a=b --resume --device cpu"
    assert run(["train", str(mine), *line.split()]) == 0
    assert capsys.readouterr().out == "runs/mine/best.safetensors\n"
    assert passed == {
        "source": mine,
        "valid": Path("other.jsonl"),
        "start_from": "digits",
        "overrides": ["training.epochs=2", "a=b"],
        "run_dir": Path("runs/mine"),
        "resume": True,
        "smoke": False,
        "device": "cpu",
    }
    assert run(["train", "recipes/digits-ctc/config.toml", "--smoke"]) == 0
    assert passed["run_dir"] == Path("runs/digits-ctc") and passed["smoke"]


def test_python_transcribes_files_and_arrays_alike(folder: Path, model: str) -> None:
    one = folder / "one.wav"
    from_file = audioseq.transcribe(one, model=model, words=True)
    waveform, sample_rate = audio.read(one)
    from_array = audioseq.transcribe(waveform, sample_rate, model=model, words=True)
    assert from_file.path == str(one) and from_array.path is None
    assert (from_file.text, from_file.words) == (from_array.text, from_array.words)


def test_a_run_is_trained_used_resumed_and_not_overwritten(
    folder: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.jsonl").write_text(
        '{"audio_filepath": "talks/one.wav", "duration": 1.0, "text": "one"}\n'
        '{"audio_filepath": "talks/later/two.flac", "duration": 1.0, "text": "two"}\n'
    )
    monkeypatch.chdir(tmp_path)
    small = ["model.channels=[4, 8]", "model.lower_size=8", "model.upper_size=8", "model.n_mels=16"]
    line = ["train", "mine.jsonl", "--valid", "mine.jsonl", "--device", "cpu"]
    line += [word for change in [*small, "training.epochs=1"] for word in ("--set", change)]
    assert run(line) == 0
    best = capsys.readouterr().out.strip()
    assert Path(best) == Path("runs/mine/best.safetensors") and Path(best).exists()
    assert run(["transcribe", "talks/one.wav", "-m", best]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert run(line) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ") and printed.count("\n") == 1 and "--resume" in printed
    assert run([*line, "--resume", "--set", "training.epochs=2"]) == 0
    assert capsys.readouterr().out.strip() == best
    assert run([*line, "--resume", "--set", "training.epoch=2"]) == 1
    assert "did you mean epochs" in capsys.readouterr().err


def test_predict_accepts_an_ngram_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, model = tmp_path / "text.txt", str(tmp_path / "lm.safetensors")
    text.write_text("the cat sat\nthe cat ran\nthe dog sat\n" * 3)
    assert run(["lm", "train", str(text), "-o", model, "--order", "2"]) == 0
    capsys.readouterr()
    assert run(["predict", "The,", "-m", model, "-n", "2"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["cat", "dog"]
