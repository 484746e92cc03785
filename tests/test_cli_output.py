"""What the speech commands write: files, several formats, subtitles, warnings and refusals."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from audioseq import audio, checkpoint
from audioseq.cli import progress
from audioseq.cli.main import run
from audioseq.speech.batch.inputs import Recording
from audioseq.speech.task import SpeechTask
from tests.speech import babbler
from tests.speech.tiny import config, say, utterances

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(babbler.make(tmp_path_factory.mktemp("model")))


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recording in the current folder."""
    monkeypatch.chdir(tmp_path)
    audio.write(tmp_path / "a.wav", say("abc dad bad"))
    return "a.wav"


def test_the_suffix_of_an_output_file_is_its_format(clip: str, model: str, capsys: Captured) -> None:
    command = ["transcribe", clip, "-m", model]
    assert run(command) == 0
    text = capsys.readouterr().out
    assert run([*command, "-o", "out.txt"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.splitlines()[-1] == "wrote out.txt"
    assert Path("out.txt").read_text() == text
    assert run([*command, "-o", "out.TextGrid"]) == 0
    assert Path("out.TextGrid").read_text().startswith('File type = "ooTextFile"')
    assert run([*command, "-o", "odd.txt", "-f", "json"]) == 0
    assert json.loads(Path("odd.txt").read_text())["text"] == " ".join(text.split())
    assert run([*command, "-o", "out.txt"]) == 1
    assert "out.txt: already exists; --force" in capsys.readouterr().err
    assert run([*command, "-o", "out.txt", "--force"]) == 0
    assert run([*command, "-o", "no/folder/out.txt"]) == 1
    assert "no/folder/out.txt: cannot be written" in capsys.readouterr().err


def test_several_formats_are_written_and_resumed(clip: str, model: str, capsys: Captured) -> None:
    command = ["transcribe", clip, "-m", model, "-f", "txt,srt,json", "-o", "out"]
    assert run(command) == 0
    assert "1 transcribed, 0 skipped, 0 failed" in capsys.readouterr().err
    files = {path.name for path in Path("out").iterdir() if not path.name.startswith(".")}
    assert files == {"a.txt", "a.srt", "a.json", "results.jsonl"}
    assert json.loads(Path("out/a.json").read_text())["words"] == []
    assert run([*command, "--resume"]) == 0
    assert "0 transcribed, 1 skipped, 0 failed" in capsys.readouterr().err
    before = Path("out/a.txt").stat().st_mtime_ns
    Path("out/a.srt").unlink()
    assert run([*command, "--resume"]) == 0
    assert "1 transcribed, 0 skipped, 0 failed" in capsys.readouterr().err
    assert Path("out/a.srt").exists() and Path("out/a.txt").stat().st_mtime_ns == before
    rows = [json.loads(line) for line in Path("out/results.jsonl").read_text().splitlines()]
    assert sorted(row["output"] for row in rows) == ["a.json", "a.srt", "a.txt"]
    assert run(command) == 1
    assert "0 transcribed, 0 skipped, 1 failed" in capsys.readouterr().err


def test_subtitles_have_the_given_layout(clip: str, model: str, capsys: Captured) -> None:
    command = ["transcribe", clip, "-m", model, "-f", "vtt"]
    assert run([*command, "--max-line-width", "5", "--max-line-count", "1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines()[1:] if line and "-->" not in line]
    assert len(lines) > 1 and all(len(line) <= 5 for line in lines)
    assert run([*command, "--words"]) == 0
    words = [line for line in capsys.readouterr().out.splitlines()[1:] if line and "-->" not in line]
    assert all(" " not in word for word in words) and "".join(words) == "".join(lines).replace(" ", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.wav", "a.wav", "-o", "out.txt"], "names a file"),
        (["a.wav", "-f", "txt,srt", "-o", "out.txt"], "names a file"),
        (["a.wav", "-o", "out.txt", "--resume"], "names a file"),
        (["a.wav", "-f", "txt,srt"], "needs -o DIR for several formats"),
        (["a.wav", "-f", "txt,doc"], "'doc' is not one of txt, json"),
        (["a.wav", "-f", "tsv", "--words"], "needs -f json, srt or vtt"),
        (["a.wav", "--threads", "0"], "Invalid value for '--threads'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors(arguments: list[str], message: str, clip: str, capsys: Captured) -> None:
    assert run(["transcribe", *arguments]) == 2
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().err).split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.wav"], "missing.wav: no such file; check the path"),
        (["a.wav", "--language", "de"], "--language de: the models english-small and digits are for English"),
        (
            ["a.wav", "-m", "large-v3"],
            "large-v3: is a Whisper model, which audioseq does not read; use english",
        ),
        (["a.wav", "--lm", "none.arpa"], "none.arpa: no such model or file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_before_torch_is_imported(arguments: list[str], message: str, clip: str) -> None:
    script = (
        "import sys; from audioseq.cli.main import run; code = run(); print('torch' in sys.modules, code)"
    )
    command = [sys.executable, "-c", script, "transcribe", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "False 1\n"
    assert done.stderr.startswith(f"error: {message}") and done.stderr.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["models", "list"], ["--help"]], ids=" ".join)
def test_a_full_disk_at_stdout_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "audioseq", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: stdout: cannot be written (No space left on device); free some space\n"


def test_progress_is_a_line_per_minute_without_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 30.0, 61.0, 90.0, 125.0])
    monkeypatch.setattr("audioseq.cli.progress.time.monotonic", lambda: next(clock))
    recordings = [Recording("a", "a", duration=50.0), Recording("b", "b", duration=150.0)]
    with progress.transcription_progress(recordings) as update:
        assert update is not None
        for recording, share in ((0, 0.5), (0, 1.0), (1, 0.1), (1, 0.5)):
            update(recordings[recording], share)
    assert capsys.readouterr().err.splitlines() == [
        "transcribing 1/2, 25%, 0:03:03 left",
        "transcribing 2/2, 62%, 0:01:15 left",
    ]


def test_progress_of_an_evaluation_is_a_line_per_minute_without_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 40.0, 90.0, 120.0])
    monkeypatch.setattr("audioseq.cli.progress.time.monotonic", lambda: next(clock))
    assert list(progress.track_progress(["a", "b", "c"], "evaluating")) == ["a", "b", "c"]
    assert capsys.readouterr().err.splitlines() == ["evaluating 2/3, 67%, 0:00:45 left"]


def test_odd_hotwords_are_named_and_left_out(clip: str, model: str, capsys: Captured) -> None:
    Path("words.txt").write_text("日本\nC++\n\n42\nPierre-Loïs\nO'Neill\n")
    assert run(["transcribe", clip, "-m", model, "--hotwords", "words.txt"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "hotword" in line]
    assert [line.split(": ")[1] for line in lines] == ["words.txt:1", "words.txt:2", "words.txt:4"]
    assert run(["transcribe", clip, "-m", model, "--hotword", "C++"]) == 1
    assert "hotword 'C++'" in capsys.readouterr().err


def test_a_missing_recording_does_not_stop_the_evaluation(clip: str, model: str, capsys: Captured) -> None:
    row = {"audio_filepath": clip, "duration": 1, "text": "abc"}
    missing = row | {"audio_filepath": "missing.wav"}
    Path("m.jsonl").write_text(f"{json.dumps(missing)}\n{json.dumps(row)}\n")
    assert run(["evaluate", model, "m.jsonl", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and "missing.wav: no such file" in printed.err
    assert json.loads(printed.out)["utterances"] == 1
    Path("m.jsonl").write_text(json.dumps(missing))
    assert run(["evaluate", model, "m.jsonl"]) == 1
    assert "no recording could be read" in capsys.readouterr().err


def test_an_empty_reference_has_no_error_rate(clip: str, model: str, capsys: Captured) -> None:
    Path("m.jsonl").write_text(json.dumps({"audio_filepath": clip, "duration": 1.5, "text": ""}))
    assert run(["evaluate", model, "m.jsonl", "--json"]) == 0
    report = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert report["wer"] is report["cer"] is report["worst"][0]["wer"] is None
    assert run(["evaluate", model, "m.jsonl"]) == 0
    table = capsys.readouterr().out
    assert "WER  empty reference" in table and "inf" not in table and "substitutions\n\n" not in table


def test_an_adapted_model_keeps_the_recommended_decoding(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "clips").mkdir()
    made = utterances(tmp_path / "clips", ["ab", "cab", "dad"])
    parent = SpeechTask(config(), made, made)
    card: dict[str, object] = {
        "decoder": {"lm": "english-3gram", "rescorer": None, "alpha": 0.25, "trials": 3}
    }
    path = tmp_path / "parent.safetensors"
    checkpoint.save(path, parent.model.state_dict(), parent.header(card))
    rows = [{"audio_filepath": str(u.audio_filepath), "duration": u.duration, "text": u.text} for u in made]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    command = ["train", str(manifest), "--valid", str(manifest), "--from", str(path), "--device", "cpu"]
    sets = ["data.min_seconds=0.1", "training.epochs=1", "wave_augment=false", "spec_augment=false"]
    command += [word for each in sets for word in ("--set", each)]
    assert run([*command, "--run-dir", str(tmp_path / "run")]) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    assert checkpoint.read_header(printed.out.strip()).card["decoder"] == {
        "lm": "english-3gram", "rescorer": None, "alpha": 0.25,
    }  # fmt: skip
    assert re.search(r"wer on the validation set: [\d.]+ before training, [\d.]+ after", printed.err)


def test_an_arpa_file_is_a_language_model(clip: str, model: str, capsys: Captured) -> None:
    Path("text.txt").write_text("ab cab\ndad\n")
    Path("empty.txt").touch()
    assert run(["lm", "train", "text.txt", "--order", "2", "-o", "lm.arpa"]) == 0
    assert run(["transcribe", clip, "-m", model, "--lm", "lm.arpa"]) == 0
    capsys.readouterr()
    for command in (
        ["lm", "evaluate", "lm.arpa", "empty.txt"],
        ["lm", "evaluate", "lm.arpa", "empty.txt", "--json"],
    ):
        assert run(command) == 1
        assert "empty.txt: has no words" in capsys.readouterr().err
