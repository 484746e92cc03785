"""Folders of transcripts: killed and gone on with, nothing is lost, done twice or overwritten."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from audioseq.errors import AudioError, CheckpointError, ConfigError, DataError
from audioseq.speech import pipeline
from audioseq.speech.batch import journal
from audioseq.speech.batch.inputs import find_recordings
from audioseq.speech.batch.run import Summary, transcribe_all
from audioseq.speech.batch.shard import Shard
from audioseq.speech.batch.transcribe import TranscriptionResult
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.pipeline import Recogniser
from tests.speech import babbler

Launch = Callable[..., BaseProcess]

needs_sigkill = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return babbler.make(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def recogniser(model: Path) -> Recogniser:
    return pipeline.load_recogniser(model, "cpu")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    babbler.record(folder, 10)
    return folder


@pytest.fixture(scope="module")
def whole(clips: Path, recogniser: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The transcripts of a run that was not disturbed."""
    out = tmp_path_factory.mktemp("whole")
    transcribe_all(clips, out, model=recogniser)
    found = transcripts(out)
    assert len(set(found.values())) == len(found) == 10
    return found


def transcripts(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.txt")}


def lines(out: Path, name: str = "results.jsonl") -> list[dict[str, Any]]:
    """Return the whole lines of a journal."""
    path = out / name
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def counts(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.skipped, summary.failed


def test_each_recording_has_its_transcript_and_its_line(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    told: list[TranscriptionResult] = []
    summary = transcribe_all(clips, tmp_path / "a" / "b", model=recogniser, tell=told.append)
    assert counts(summary) == (10, 0, 0)
    assert summary.journal == tmp_path / "a" / "b" / "results.jsonl"
    paths = [recording.path for recording in find_recordings(clips)]
    assert [outcome.recording.path for outcome in told] == paths
    found = lines(tmp_path / "a" / "b")
    assert [line["path"] for line in found] == paths
    for line, outcome in zip(found, told, strict=True):
        assert outcome.transcript is not None
        assert whole[line["output"]].decode() == outcome.transcript.text + "\n"
        assert line["status"] == "done" and line["error"] is None
        assert line["words"] == len(outcome.transcript.text.split())
        assert line["duration"] == pytest.approx(outcome.transcript.duration, abs=1e-3)
    assert summary.seconds == pytest.approx(sum(line["duration"] for line in found), abs=0.1)
    assert sum(line["seconds"] for line in found) <= summary.elapsed + 0.1
    assert transcripts(tmp_path / "a" / "b") == whole


def finished(process: BaseProcess) -> bool:
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


class Witness:
    """Looks at a folder after each kill: what was done stays as it was, and transcripts are whole."""

    def __init__(self, out: Path, whole: dict[str, bytes]) -> None:
        self.out, self.whole = out, whole
        self.done: dict[str, str] = {}

    def look(self) -> None:
        written = transcripts(self.out)
        assert written.items() <= self.whole.items()
        found = [(line["output"], line["finished"]) for line in lines(self.out)]
        now = dict(found)
        assert len(now) == len(found), "a recording was done twice"
        assert self.done.items() <= now.items(), "what was done was lost, or done again"
        assert set(written) <= set(now), "a transcript that nothing tells of"
        self.done = now

    def end(self) -> None:
        self.look()
        assert transcripts(self.out) == self.whole
        assert not list(self.out.rglob("*.part"))


@needs_sigkill
def test_killed_at_growing_distances_between_file_operations(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    witness = Witness(tmp_path, whole)
    for attempt in itertools.count(1):
        process = launch(babbler.child, clips, tmp_path, model, resume=True, kill_at_operation=4 * attempt)
        ended = finished(process)
        witness.look()
        if ended:
            break
    assert attempt > 3
    witness.end()


def kill_at_random(
    launch: Launch, clips: Path, folder: Path, model: Path, whole: dict[str, bytes], kills: int
) -> int:
    """Kill runs at random moments, then let one end; whenever one has ended before its moment, start anew.

    Returns:
        how many kills left more recordings done than there were before, but not all.
    """
    seed = time.time_ns()
    print(f"seed {seed}")
    draw = random.Random(seed)
    clock = folder / "clock"
    assert finished(launch(babbler.child, clips, folder / "whole", model, clock=clock))
    usual = float(clock.read_text())
    witness, within = Witness(folder / "0", whole), 0
    for number in range(1, kills + 1):
        before = len(witness.done)
        moment = draw.uniform(0, usual)
        if finished(launch(babbler.child, clips, witness.out, model, resume=True, kill_after=moment)):
            witness.end()
            witness = Witness(folder / f"{number}", whole)
        else:
            witness.look()
            within += before < len(witness.done) < len(whole)
    assert finished(launch(babbler.child, clips, witness.out, model, resume=True))
    witness.end()
    print(f"{within} of {kills} kills within the recordings")
    return within


@needs_sigkill
def test_killed_at_random_moments(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    kill_at_random(launch, clips, tmp_path, model, whole, kills=3)


@needs_sigkill
@pytest.mark.slow
def test_killed_at_a_hundred_random_moments(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    assert kill_at_random(launch, clips, tmp_path, model, whole, kills=100) > 10


@needs_sigkill
@pytest.mark.slow
@pytest.mark.parametrize("operation", range(1, 36))
def test_killed_at_any_file_operation(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path, operation: int
) -> None:
    witness = Witness(tmp_path, whole)
    finished(launch(babbler.child, clips, tmp_path, model, resume=True, kill_at_operation=operation))
    witness.look()
    assert finished(launch(babbler.child, clips, tmp_path, model, resume=True))
    witness.end()


def test_half_a_line_is_nothing(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    transcribe_all(clips, tmp_path, model=recogniser)
    path = tmp_path / "results.jsonl"
    *kept, last = path.read_bytes().splitlines(keepends=True)
    for share in (0.01, 0.5, 1.0):
        path.write_bytes(b"".join(kept) + last[: int(share * (len(last) - 1))])  # lines differ in length
        output = tmp_path / json.loads(last)["output"]
        output.rename(output.with_name(f".{output.name}.part"))  # it had no name before its line was whole
        summary = transcribe_all(clips, tmp_path, model=recogniser, resume=True)
        assert counts(summary) == (1, 9, 0)
        assert transcripts(tmp_path) == whole
        assert len(lines(tmp_path)) == 10
        *kept, last = path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"nonsense\n", b'{"status": "done"}\n', b"\0\0\n"])
def test_a_damaged_journal_is_told_of(
    line: bytes, clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    transcribe_all(clips, tmp_path, model=recogniser)
    path = tmp_path / "results.jsonl"
    content = path.read_bytes()
    path.write_bytes(line + content)
    with pytest.raises(DataError, match=r"results\.jsonl:1: is no line of a journal"):
        transcribe_all(clips, tmp_path, model=recogniser, resume=True)
    assert path.read_bytes() == line + content


def test_bad_recordings_are_lines_and_tried_again(recogniser: Recogniser, tmp_path: Path) -> None:
    first, bad, last = babbler.record(tmp_path / "clips", 3)
    sound = bad.read_bytes()
    bad.write_text("no sound")
    told: list[TranscriptionResult] = []
    out = tmp_path / "out"
    inputs = [first, bad, tmp_path / "missing.wav", last]
    assert counts(transcribe_all(inputs, out, model=recogniser, tell=told.append)) == (2, 0, 2)
    assert [isinstance(outcome.error, AudioError) for outcome in told] == [False, True, True, False]
    assert [line["status"] for line in lines(out)] == ["done", "failed", "failed", "done"]
    assert str(bad) in lines(out)[1]["error"]
    assert counts(transcribe_all(inputs, out, model=recogniser, resume=True)) == (0, 2, 2)
    bad.write_bytes(sound)
    assert counts(transcribe_all(inputs, out, model=recogniser, resume=True)) == (1, 2, 1)
    assert [line["status"] for line in lines(out)] == ["done", "done", "done", "failed"]


def test_what_has_changed_is_noticed(recogniser: Recogniser, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    one, _ = babbler.record(clips, 2)
    transcribe_all(clips, out, model=recogniser)
    before = transcripts(out)
    os.utime(one, (1, 1))
    errors: list[str] = []

    def again(**options: Any) -> tuple[int, int, int]:
        usual: dict[str, Any] = {"model": recogniser, "resume": True}
        told: list[TranscriptionResult] = []
        summary = transcribe_all(clips, out, tell=told.append, **usual | options)
        errors.extend(str(outcome.error) for outcome in told)
        return counts(summary)

    assert again() == (0, 1, 1)
    assert "before it changed" in errors[0] and "--force" in errors[0] and str(one) in errors[0]
    assert transcripts(out) == before
    assert again(force=True) == (1, 1, 0)
    assert again() == (0, 2, 0)
    assert again(decoding="greedy") == (0, 2, 0)  # which is what this model does anyway
    others: list[dict[str, Any]] = [
        {"beam": DecodingOptions(hotwords=["ab"])},
        {"model": babbler.make(tmp_path, seed=1)},
    ]
    for other in others:
        with pytest.raises(DataError, match=r"0\.txt and 1 more like it: .*another model or other settings"):
            again(**other)
    assert again(model=babbler.make(tmp_path, seed=1), force=True) == (2, 0, 0)
    assert transcripts(out) != before
    (out / "0" / "0.txt").unlink()
    assert again(model=babbler.make(tmp_path, seed=1)) == (1, 1, 0)


def test_nothing_is_overwritten_unless_forced(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    mine = tmp_path / "1" / "4.txt"
    mine.write_text("mine")
    for resume in (False, True):
        told: list[TranscriptionResult] = []
        summary = transcribe_all(clips, tmp_path, model=recogniser, resume=resume, tell=told.append)
        assert counts(summary) == ((0, 9, 1) if resume else (9, 0, 1))
        assert "is there already" in str(told[0].error) and "--force" in str(told[0].error)
        assert mine.read_text() == "mine"
    told = []
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, tell=told.append)) == (0, 0, 10)
    assert len(told) == 1, "ten thousand of these are one line"
    assert "9 more like it" in str(told[0].error) and "--resume" in str(told[0].error)
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, resume=True, force=True)) == (1, 9, 0)
    assert transcripts(tmp_path) == whole
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, force=True)) == (10, 0, 0)
    assert len(lines(tmp_path)) == 10


def test_parts_share_a_folder_and_their_journals_join(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    done = [transcribe_all(clips, tmp_path, model=recogniser, shard=Shard(i, 3)).done for i in (2, 1, 3)]
    assert sum(done) == 10
    assert transcripts(tmp_path) == whole
    names = [f"results-{index}-of-3.jsonl" for index in (1, 2, 3)]
    assert [len(lines(tmp_path, name)) for name in names] == [done[1], done[0], done[2]]
    # Another number of parts, or one, knows what is done; and so it does from the joined journal.
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, resume=True)) == (0, 10, 0)
    (tmp_path / "results.jsonl").write_bytes(b"".join((tmp_path / name).read_bytes() for name in names))
    for name in names:
        (tmp_path / name).unlink()
    for index in (1, 2):
        again = transcribe_all(clips, tmp_path, model=recogniser, resume=True, shard=Shard(index, 2))
        assert again.done == again.failed == 0 < again.skipped


def test_two_processes_do_not_write_into_one_folder(
    clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    with journal.opened(tmp_path, Shard(1, 2)):
        for other in (Shard(1, 2), Shard(1, 1), Shard(1, 3)):
            with pytest.raises(DataError, match="another process"):
                transcribe_all(clips, tmp_path, model=recogniser, shard=other)
        assert transcribe_all(clips, tmp_path, model=recogniser, shard=Shard(2, 2)).done
    transcribe_all(clips, tmp_path, model=recogniser, resume=True)


def test_folders_that_cannot_be_are_told_of(clips: Path, recogniser: Recogniser, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "out"):
        with pytest.raises(CheckpointError, match="cannot be written"):
            transcribe_all(clips, folder, model=recogniser)
    with pytest.raises(ConfigError, match="form"):
        transcribe_all(clips, tmp_path / "out", model=recogniser, form="doc")
    assert not (tmp_path / "out").exists()


def test_a_transcript_that_cannot_be_written_is_a_failure(
    clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    (tmp_path / "1").touch()  # a file where a folder must be
    (tmp_path / "0" / "3.txt").mkdir(parents=True)  # and the other way round
    for summary in (
        transcribe_all(clips, tmp_path, model=recogniser, force=True),
        transcribe_all(clips, tmp_path, model=recogniser, force=True, resume=True),
    ):
        assert (summary.done + summary.skipped, summary.failed) == (6, 4)
        failed = [line for line in lines(tmp_path) if line["status"] == "failed"]
        assert len(failed) == 4 and all("cannot be written" in line["error"] for line in failed)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are set in another way there")
def test_a_full_disk_ends_the_run_and_leaves_whole_lines(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    for limit in (700, 1500, 2300):  # bytes of a file: within a line of the journal
        process = launch(babbler.child, clips, tmp_path, model, resume=True, file_size=limit)
        process.join()
        assert process.exitcode == 1
        content = (tmp_path / "results.jsonl").read_bytes()
        assert content.endswith(b"\n") or not content
        assert transcripts(tmp_path).items() <= whole.items()
    assert finished(launch(babbler.child, clips, tmp_path, model, resume=True))
    assert transcripts(tmp_path) == whole
