"""`channels="split"`: each channel is transcribed separately, as a speaker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import audioseq
from audioseq import audio
from audioseq.cli.main import run
from audioseq.speech import pipeline
from audioseq.speech.batch import transcribe as batch
from audioseq.speech.batch.inputs import Recording
from audioseq.speech.batch.transcribe import transcribe_each
from audioseq.speech.transcript import Transcript
from tests.speech import babbler
from tests.speech.tiny import say

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return babbler.make(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def recogniser(model: Path) -> pipeline.Recogniser:
    return pipeline.load_recogniser(model, "cpu")


@pytest.fixture(scope="module")
def sides() -> list[np.ndarray]:
    """Two sides of a call: the second is quiet, and longer than a chunk."""
    noise = np.random.default_rng(0).normal(0, 0.005, 25 * audio.SAMPLE_RATE).astype(np.float32)
    left = np.zeros_like(noise)
    left[audio.SAMPLE_RATE :][: len(say("abc dad bad"))] = say("abc dad bad")
    return [left, noise]


@pytest.fixture
def call(sides: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The call in the current folder, and each side of it alone."""
    monkeypatch.chdir(tmp_path)
    audio.write("call.wav", np.stack(sides, axis=1))
    audio.write("1.wav", sides[0])
    audio.write("2.wav", sides[1])
    return "call.wav"


def of_speaker(transcript: Transcript, speaker: str | None) -> tuple[list[object], list[object]]:
    """Return the segments and the words of a speaker, without the label and the confidences."""
    segments = [
        replace(segment, speaker=None) for segment in transcript.segments if segment.speaker == speaker
    ]
    words = [(word.start, word.end, word.word) for word in transcript.words if word.speaker == speaker]
    return list(segments), list(words)


def test_each_side_has_the_transcript_of_its_channel_alone(
    call: str, recogniser: pipeline.Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "WINDOW_SECONDS", 1.0)  # a window per chunk
    whole = recogniser.transcribe(call, words=True, channels="split")
    (batched,) = transcribe_each(recogniser, [Recording(call, "call")], words=True, channels="split")
    assert batched.transcript is not None and batched.transcript.segments == whole.segments
    assert batched.transcript.warnings == whole.warnings
    assert whole.speakers == ("1", "2") and whole.duration == 25.0 and whole.path == call
    assert whole.text == " ".join(segment.text for segment in whole.segments)
    for parts in (whole.segments, whole.words):
        assert [part.start for part in parts] == sorted(part.start for part in parts)
    for speaker in whole.speakers:
        alone = recogniser.transcribe(f"{speaker}.wav", words=True)
        assert alone.words and of_speaker(whole, speaker) == of_speaker(alone, None)


def test_a_waveform_is_split(recogniser: pipeline.Recogniser, sides: list[np.ndarray], call: str) -> None:
    reported: list[float] = []
    waveform = np.stack([*sides, sides[0]])
    whole = recogniser.transcribe(
        waveform, 16_000, channels="split", progress=lambda done, total: reported.append(done / total)
    )
    assert whole.speakers == ("1", "2", "3")
    assert of_speaker(whole, "1")[0] == of_speaker(whole, "3")[0] != of_speaker(whole, "2")[0]
    assert reported == sorted(reported) and reported[-1] == 1.0


def test_a_recording_with_one_channel_has_one_speaker(recogniser: pipeline.Recogniser, call: str) -> None:
    whole = recogniser.transcribe("1.wav", channels="split")
    assert whole.speakers == ("1",) and whole.text == recogniser.transcribe("1.wav").text
    assert whole.warnings[0] == "has one channel, so everything is from speaker 1"


def test_a_warning_about_the_recording_is_given_once(
    recogniser: pipeline.Recogniser, call: str, tmp_path: Path
) -> None:
    content = Path(call).read_bytes()
    Path(call).write_bytes(content[: len(content) // 2])
    warnings = recogniser.transcribe(call, channels="split").warnings
    assert [warning for warning in warnings if "truncated" in warning] == [
        "truncated: the last 12.50 s of 25.00 s are missing"
    ]


def test_a_long_call_is_read_in_blocks(
    recogniser: pipeline.Recogniser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0
    transcribe = recogniser.compute_chunk_emissions

    def watched(chunks):  # type: ignore[no-untyped-def]
        nonlocal longest
        chunks = list(chunks)
        longest = max(longest, sum(len(chunk.waveform) for chunk in chunks))
        return transcribe(chunks)

    monkeypatch.setattr(batch, "WINDOW_SECONDS", 20.0)
    monkeypatch.setattr(recogniser, "compute_chunk_emissions", watched)
    noise = np.random.default_rng(0).normal(0, 0.1, (90 * 8000, 2))
    sf.write(tmp_path / "long.wav", noise, 8000)
    (result,) = transcribe_each(recogniser, [Recording(str(tmp_path / "long.wav"), "x")], channels="split")
    assert result.transcript is not None and result.transcript.duration == 90.0
    assert longest <= 40 * audio.SAMPLE_RATE


def test_the_command_prints_and_writes_speakers(call: str, model: Path, capsys: Captured) -> None:
    command = ["transcribe", call, "-m", str(model), "--channels", "split"]
    assert run([*command, "-f", "json", "--words"]) == 0
    printed = json.loads(capsys.readouterr().out)
    turns = [(segment["speaker"], segment["text"]) for segment in printed["segments"]]
    assert {word["speaker"] for word in printed["words"]} == {"1", "2"}
    assert run(command) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == ": ".join(turns[0]) and " ".join(text.split()) == " ".join(
        f"{speaker}: {said}" for speaker, said in turns
    )
    assert run([*command, "2.wav"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{call}\t{' '.join(text.split())}" and second.startswith("2.wav\t1: ")
    assert run([*command, "-o", "call.vtt"]) == 0
    assert "<v 1>" in Path("call.vtt").read_text() and "<v 2>" in Path("call.vtt").read_text()
    folder = [*command, "-f", "txt,ctm,tsv", "-o", "out"]
    assert run(folder) == 0
    assert Path("out/call.txt").read_text() == text
    assert Path("out/call.tsv").read_text().startswith("start\tend\tspeaker\ttext\n")
    assert {line.split()[1] for line in Path("out/call.ctm").read_text().splitlines()} == {"1", "2"}
    capsys.readouterr()
    assert run([*folder, "--resume"]) == 0
    assert "0 transcribed, 1 skipped" in capsys.readouterr().err
    Path("out/call.txt").unlink()
    assert run([*folder[:4], "-f", "txt,ctm,tsv", "-o", "out", "--resume"]) == 1  # not split
    assert "made with another model or other settings" in capsys.readouterr().err


def test_the_public_function_splits(call: str, model: Path, recogniser: pipeline.Recogniser) -> None:
    found = audioseq.transcribe(call, model=model, channels="split")
    assert [segment.speaker for segment in found.segments] == [
        segment.speaker for segment in recogniser.transcribe(call, channels="split").segments
    ]
