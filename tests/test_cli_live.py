"""`audioseq transcribe --live`: samples on stdin, microphones, formats and bad input."""

from __future__ import annotations

import io
import json
import queue
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from audioseq import audio
from audioseq.cli import live
from audioseq.cli.main import run

HELLO = Path(__file__).parents[1] / "assets" / "hello.flac"
TEXT = "she opened the window and listened to the rain falling on the old stone wall"
GREEDY_TEXT = TEXT.replace("wall", "wellall")
"""What the model hears without language models."""
LIVE = ["transcribe", "--live"]
GREEDY = [*LIVE, "--raw", "--lm", "none"]

Captured = pytest.CaptureFixture[str]


def samples() -> bytes:
    """Return the signed 16-bit samples of a sample recording."""
    return (audio.load(HELLO) * 32767).astype("<i2").tobytes()


def run_command(arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, stdin: bytes = b"") -> int:
    """Run a command with these bytes on stdin, and return its exit code."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(stdin))))
    return run(list(arguments))


@pytest.fixture
def microphone(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that connects a fake microphone: it gives blocks, then calls `then`."""

    def connect(blocks: Sequence[bytes], then: Callable[[], None] = lambda: None) -> None:
        class Stream:
            def __init__(self, *_: Any, callback: Callable[..., None], **__: Any) -> None:
                self.callback = callback

            def __enter__(self) -> None:
                for block in blocks:
                    self.callback(block, len(block) // 2, None, None)
                then()

            def __exit__(self, *_: object) -> None: ...

        device = {"index": 3, "name": "Desk", "max_input_channels": 1, "default_samplerate": 16000.0}

        def query(name: Any = None, kind: str | None = None) -> Any:
            if kind is None:
                return [device, {"index": 4, "name": "Speaker", "max_input_channels": 0}] if blocks else []
            if not blocks or name not in (None, 3, "Desk"):
                raise ValueError("no such device")
            return device

        fake = SimpleNamespace(query_devices=query, RawInputStream=Stream, PortAudioError=RuntimeError)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)

    return connect


@pytest.mark.parametrize("form", ["txt", "json", "srt", "vtt"])
def test_samples_on_stdin_are_transcribed_in_each_format(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    twice = samples() + bytes(2 * 16000 * 2) + samples()  # with two seconds of silence between
    assert run_command([*GREEDY, "-", "-f", form], monkeypatch, twice) == 0
    output = capsys.readouterr().out
    if form == "txt":
        assert output.splitlines() == [GREEDY_TEXT, GREEDY_TEXT]
    elif form == "json":
        lines = [json.loads(line) for line in output.splitlines()]
        finals = [line for line in lines if line["type"] == "final"]
        assert [line["text"] for line in finals] == [GREEDY_TEXT, GREEDY_TEXT]
        assert finals[1]["start"] > 6 and len(finals[1]["words"]) == len(GREEDY_TEXT.split())
        partials = [line["text"] for line in lines if line["type"] == "partial"]
        assert len(partials) > 10 and all(GREEDY_TEXT.startswith(text[:20]) for text in partials)
    else:
        plain = " ".join(output.split())
        assert plain.startswith("WEBVTT 00:" if form == "vtt" else "1 00:")
        assert plain.count("-->") >= 2
        if form == "srt":
            numbers = [line for line in output.splitlines() if line.isdigit()]
            assert numbers == [str(number) for number in range(1, len(numbers) + 1)]
        words = " ".join(line for line in output.splitlines() if line[:1].islower())
        assert words == f"{GREEDY_TEXT} {GREEDY_TEXT}"


def test_segments_end_between_words_at_the_maximum_length(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert run_command([*GREEDY, "-", "--max-segment", "1"], monkeypatch, samples()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2 and " ".join(lines).startswith("she opened the window")


def test_stdin_that_closes_early_keeps_the_words_so_far(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert run_command([*GREEDY, "-"], monkeypatch, samples()[: 2 * 32000 + 1]) == 0
    words = capsys.readouterr().out.split()
    assert len(words) > 3 and GREEDY_TEXT.split()[:4] == words[:4]


def test_an_empty_stdin_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert run_command([*LIVE, "-"], monkeypatch) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no samples arrived" in line


def test_a_closed_stdin_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # of the shell: <&-
    assert run([*LIVE, "-"]) == 1
    assert "stdin: is closed" in capsys.readouterr().err


def test_the_words_before_another_sample_rate_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """WAV in stereo, as of arecord -f cd, then a file of another rate."""
    waveform = audio.load(HELLO)
    streams = [io.BytesIO(), io.BytesIO()]
    for file, rate in zip(streams, (16_000, 8_000), strict=True):
        soundfile.write(file, np.stack([waveform] * 2, axis=1), rate, "PCM_16", format="WAV")
    content = b"".join(file.getvalue() for file in streams)
    assert run_command([*GREEDY, "-"], monkeypatch, content) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [GREEDY_TEXT]
    assert "stdin: the sample rate changes from 16000 to 8000 Hz" in captured.err.splitlines()[-1]


def test_a_microphone_is_transcribed_until_it_is_interrupted(
    microphone: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    data = samples()

    def end(self: Any, *_: object) -> Any:
        if self.empty():
            raise KeyboardInterrupt
        return get(self, False)

    get = queue.Queue.get
    monkeypatch.setattr(queue.Queue, "get", lambda self, **_: end(self))
    microphone([data[start : start + 3200] for start in range(0, len(data), 3200)])
    assert run_command([*LIVE, "--raw", "--microphone", "Desk"], monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [TEXT]
    assert "listening to Desk" in captured.err


def test_an_unplugged_microphone_keeps_the_words_and_is_one_clear_error(
    microphone: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(live, "MICROPHONE_TIMEOUT_SECONDS", 0.01)
    microphone([samples()])
    assert run_command([*GREEDY], monkeypatch) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [GREEDY_TEXT]
    assert "unplugged" in captured.err.splitlines()[-1]


def test_a_microphone_that_cannot_be_opened_is_one_clear_error(
    microphone: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def fail() -> None:
        raise RuntimeError("device busy")

    microphone([b"ab"], fail)
    assert run_command(LIVE, monkeypatch) == 1
    assert "Desk: cannot be opened (device busy)" in capsys.readouterr().err


def test_microphones_are_listed(
    microphone: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    microphone([b"ab"])
    assert run_command([*LIVE, "--microphone", "list"], monkeypatch) == 0
    assert capsys.readouterr().out == "3\tDesk\n"


@pytest.mark.parametrize(
    ("name", "blocks", "message"),
    [("Cellar", [b"ab"], "no microphone is called 'Cellar'"), (None, [], "no microphone was found")],
)
def test_a_missing_microphone_is_one_clear_error(
    name: str | None,
    blocks: list[bytes],
    message: str,
    microphone: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    microphone(blocks)
    assert run_command([*LIVE, *([] if name is None else ["--microphone", name])], monkeypatch) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and "--live -" in line


def test_a_missing_library_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert run_command(LIVE, monkeypatch) == 1
    assert "audioseq[mic]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [*LIVE, "talk.wav"],
        [*LIVE, "-", "-o", "texts"],
        [*LIVE, "-", "--words"],
        [*LIVE, "-", "--channels", "split"],
        [*LIVE, "-", "--microphone", "Desk"],
        [*LIVE, "-", "-f", "ctm"],
        [*LIVE, "--sample-rate", "8000"],
        [*LIVE, "-", "--pause", "0"],
        ["transcribe", "talk.wav", "--pause", "1"],
        ["transcribe", "talk.wav", "--max-segment", "10"],
    ],
)
def test_options_without_an_effect_are_usage_errors(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert run_command(arguments, monkeypatch) == 2
    assert "Error" in capsys.readouterr().err


def test_impossible_sample_rates_are_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert run_command([*LIVE, "-", "--sample-rate", "12"], monkeypatch, samples()) == 1
    assert "sample rate of 12 Hz" in capsys.readouterr().err
