"""Batch runs: after a kill and a resume, no transcript is lost, made twice or overwritten."""

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

from audioseq.errors import AudioError, ConfigError, DataError, FileError
from audioseq.speech import pipeline
from audioseq.speech.batch.inputs import find_recordings
from audioseq.speech.batch.journal import open_journal
from audioseq.speech.batch.run import Summary, transcribe_all
from audioseq.speech.batch.shard import Shard
from audioseq.speech.batch.transcribe import TranscriptionResult
from audioseq.speech.decoding.decoder import DecodingOptions
from audioseq.speech.pipeline import Recogniser
from tests.speech import babbler

Launch = Callable[..., BaseProcess]

DEEP = b'{"source": ' + b"[" * 100_000 + b"\n"
needs_sigkill = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


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
    """The transcripts of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    transcribe_all(clips, out, model=recogniser)
    found = transcripts(out)
    assert len(set(found.values())) == len(found) == 10
    return found


def transcripts(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.txt")}


def lines(out: Path, name: str = "results.jsonl") -> list[dict[str, Any]]:
    """Return the complete lines of a journal."""
    path = out / name
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def counts(summary: Summary) -> tuple[int, int, int]:
    return summary.done, summary.skipped, summary.failed


def test_each_recording_gets_a_transcript_and_a_line(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    results: list[TranscriptionResult] = []
    summary = transcribe_all(clips, tmp_path / "a" / "b", model=recogniser, on_result=results.append)
    assert counts(summary) == (10, 0, 0)
    assert summary.journal == tmp_path / "a" / "b" / "results.jsonl"
    paths = [recording.path for recording in find_recordings(clips)]
    assert [result.recording.path for result in results] == paths
    found = lines(tmp_path / "a" / "b")
    assert [line["path"] for line in found] == paths
    for line, result in zip(found, results, strict=True):
        assert result.transcript is not None
        assert whole[line["output"]].decode() == result.transcript.text + "\n"
        assert line["status"] == "done" and line["error"] is None
        assert line["words"] == len(result.transcript.text.split())
        assert line["duration"] == pytest.approx(result.transcript.duration, abs=1e-3)
    assert summary.seconds == pytest.approx(sum(line["duration"] for line in found), abs=0.1)
    assert sum(line["seconds"] for line in found) <= summary.elapsed + 0.1
    assert transcripts(tmp_path / "a" / "b") == whole


def finished(process: BaseProcess) -> bool:
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


class FolderCheck:
    """Checks a folder after each kill: finished recordings stay finished, and transcripts are complete."""

    def __init__(self, out: Path, whole: dict[str, bytes]) -> None:
        self.out, self.whole = out, whole
        self.done: dict[str, str] = {}

    def update(self) -> None:
        written = transcripts(self.out)
        assert written.items() <= self.whole.items()
        found = [(line["output"], line["finished"]) for line in lines(self.out)]
        now = dict(found)
        assert len(now) == len(found), "a recording was transcribed twice"
        assert self.done.items() <= now.items(), "a finished recording was lost, or transcribed again"
        assert set(written) <= set(now), "a transcript is not in the journal"
        self.done = now

    def finish(self) -> None:
        self.update()
        assert transcripts(self.out) == self.whole
        assert not list(self.out.rglob("*.part"))


@needs_sigkill
def test_kills_at_growing_numbers_of_file_operations(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    check = FolderCheck(tmp_path, whole)
    for attempt in itertools.count(1):
        process = launch(babbler.child, clips, tmp_path, model, resume=True, kill_at_operation=4 * attempt)
        ended = finished(process)
        check.update()
        if ended:
            break
    assert attempt > 3
    check.finish()


def kill_at_random(
    launch: Launch, clips: Path, folder: Path, model: Path, whole: dict[str, bytes], kills: int
) -> int:
    """Kill runs at random moments, and finish the last; start over if a run ends before it is killed.

    Returns:
        number of kills after which more recordings were finished than before, but not all.
    """
    seed = time.time_ns()
    print(f"seed {seed}")
    draw = random.Random(seed)
    clock = folder / "clock"
    assert finished(launch(babbler.child, clips, folder / "whole", model, clock=clock))
    undisturbed = float(clock.read_text())
    check, within = FolderCheck(folder / "0", whole), 0
    for number in range(1, kills + 1):
        before = len(check.done)
        moment = draw.uniform(0, undisturbed)
        if finished(launch(babbler.child, clips, check.out, model, resume=True, kill_after=moment)):
            check.finish()
            check = FolderCheck(folder / f"{number}", whole)
        else:
            check.update()
            within += before < len(check.done) < len(whole)
    assert finished(launch(babbler.child, clips, check.out, model, resume=True))
    check.finish()
    print(f"{within} of {kills} kills within the recordings")
    return within


@needs_sigkill
def test_kills_at_random_moments(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    kill_at_random(launch, clips, tmp_path, model, whole, kills=3)


@needs_sigkill
@pytest.mark.slow
def test_kills_at_a_hundred_random_moments(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    assert kill_at_random(launch, clips, tmp_path, model, whole, kills=100) > 10


@needs_sigkill
@pytest.mark.slow
@pytest.mark.parametrize("operation", range(1, 36))
def test_a_kill_at_any_file_operation(
    launch: Launch, clips: Path, model: Path, whole: dict[str, bytes], tmp_path: Path, operation: int
) -> None:
    check = FolderCheck(tmp_path, whole)
    finished(launch(babbler.child, clips, tmp_path, model, resume=True, kill_at_operation=operation))
    check.update()
    assert finished(launch(babbler.child, clips, tmp_path, model, resume=True))
    check.finish()


def test_an_incomplete_line_is_ignored(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    transcribe_all(clips, tmp_path, model=recogniser)
    path = tmp_path / "results.jsonl"
    *kept, last = path.read_bytes().splitlines(keepends=True)
    for share in (0.01, 0.5, 1.0):
        path.write_bytes(b"".join(kept) + last[: int(share * (len(last) - 1))])  # lines differ in length
        output = tmp_path / json.loads(last)["output"]
        output.rename(
            output.with_name(f".{output.name}.part")
        )  # it is renamed only after its line is complete
        summary = transcribe_all(clips, tmp_path, model=recogniser, resume=True)
        assert counts(summary) == (1, 9, 0)
        assert transcripts(tmp_path) == whole
        assert len(lines(tmp_path)) == 10
        *kept, last = path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"nonsense\n", b'{"status": "done"}\n', b"\0\0\n", DEEP])
def test_a_damaged_journal_is_results_of(
    line: bytes, clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    transcribe_all(clips, tmp_path, model=recogniser)
    path = tmp_path / "results.jsonl"
    content = path.read_bytes()
    path.write_bytes(line + content)
    with pytest.raises(DataError, match=r"results\.jsonl:1: is not a journal entry"):
        transcribe_all(clips, tmp_path, model=recogniser, resume=True)
    assert path.read_bytes() == line + content


def test_bad_recordings_get_lines_and_are_tried_again(recogniser: Recogniser, tmp_path: Path) -> None:
    first, bad, last = babbler.record(tmp_path / "clips", 3)
    sound = bad.read_bytes()
    bad.write_text("no sound")
    results: list[TranscriptionResult] = []
    out = tmp_path / "out"
    inputs = [first, bad, tmp_path / "missing.wav", last]
    assert counts(transcribe_all(inputs, out, model=recogniser, on_result=results.append)) == (2, 0, 2)
    assert [isinstance(result.error, AudioError) for result in results] == [False, True, True, False]
    assert [line["status"] for line in lines(out)] == ["done", "failed", "failed", "done"]
    assert str(bad) in lines(out)[1]["error"]
    assert counts(transcribe_all(inputs, out, model=recogniser, resume=True)) == (0, 2, 2)
    bad.write_bytes(sound)
    assert counts(transcribe_all(inputs, out, model=recogniser, resume=True)) == (1, 2, 1)
    assert [line["status"] for line in lines(out)] == ["done", "done", "done", "failed"]


def test_changed_recordings_and_settings_are_detected(recogniser: Recogniser, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    one, _ = babbler.record(clips, 2)
    transcribe_all(clips, out, model=recogniser)
    before = transcripts(out)
    os.utime(one, (1, 1))
    errors: list[str] = []

    def again(**options: Any) -> tuple[int, int, int]:
        defaults: dict[str, Any] = {"model": recogniser, "resume": True}
        results: list[TranscriptionResult] = []
        summary = transcribe_all(clips, out, on_result=results.append, **defaults | options)
        errors.extend(str(result.error) for result in results)
        return counts(summary)

    assert again() == (0, 1, 1)
    assert "before it changed" in errors[0] and "--force" in errors[0] and str(one) in errors[0]
    assert transcripts(out) == before
    assert again(force=True) == (1, 1, 0)
    assert again() == (0, 2, 0)
    assert again(decoding="greedy") == (0, 2, 0)  # the default of this model
    others: list[dict[str, Any]] = [
        {"decoding": DecodingOptions(hotwords=["ab"])},
        {"model": babbler.make(tmp_path, seed=1)},
    ]
    for other in others:
        with pytest.raises(DataError, match=r"0\.txt and 1 others: .*another model or other settings"):
            again(**other)
    assert again(model=babbler.make(tmp_path, seed=1), force=True) == (2, 0, 0)
    assert transcripts(out) != before
    (out / "0" / "0.txt").unlink()
    assert again(model=babbler.make(tmp_path, seed=1)) == (1, 1, 0)


def test_nothing_is_overwritten_without_force(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "1").mkdir()
    mine = tmp_path / "1" / "4.txt"
    mine.write_text("mine")
    for resume in (False, True):
        results: list[TranscriptionResult] = []
        summary = transcribe_all(clips, tmp_path, model=recogniser, resume=resume, on_result=results.append)
        assert counts(summary) == ((0, 9, 1) if resume else (9, 0, 1))
        assert "already exists" in str(results[0].error) and "--force" in str(results[0].error)
        assert mine.read_text() == "mine"
    results = []
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, on_result=results.append)) == (0, 0, 10)
    assert len(results) == 1, "equal errors must be one result"
    assert "9 others" in str(results[0].error) and "--resume" in str(results[0].error)
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, resume=True, force=True)) == (1, 9, 0)
    assert transcripts(tmp_path) == whole
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, force=True)) == (10, 0, 0)
    assert len(lines(tmp_path)) == 10


def test_shards_share_a_folder_and_their_journals(
    clips: Path, recogniser: Recogniser, whole: dict[str, bytes], tmp_path: Path
) -> None:
    done = [transcribe_all(clips, tmp_path, model=recogniser, shard=Shard(i, 3)).done for i in (2, 1, 3)]
    assert sum(done) == 10
    assert transcripts(tmp_path) == whole
    names = [f"results-{index}-of-3.jsonl" for index in (1, 2, 3)]
    assert [len(lines(tmp_path, name)) for name in names] == [done[1], done[0], done[2]]
    # Runs with another number of shards read all journals, and also a concatenation of them.
    assert counts(transcribe_all(clips, tmp_path, model=recogniser, resume=True)) == (0, 10, 0)
    (tmp_path / "results.jsonl").write_bytes(b"".join((tmp_path / name).read_bytes() for name in names))
    for name in names:
        (tmp_path / name).unlink()
    for index in (1, 2):
        again = transcribe_all(clips, tmp_path, model=recogniser, resume=True, shard=Shard(index, 2))
        assert again.done == again.failed == 0 < again.skipped


def test_processes_with_overlapping_shards_exclude_each_other(
    clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    with open_journal(tmp_path, Shard(1, 2)):
        for other in (Shard(1, 2), Shard(1, 1), Shard(1, 3)):
            with pytest.raises(DataError, match="another process"):
                transcribe_all(clips, tmp_path, model=recogniser, shard=other)
        assert transcribe_all(clips, tmp_path, model=recogniser, shard=Shard(2, 2)).done
    transcribe_all(clips, tmp_path, model=recogniser, resume=True)


def test_folders_that_cannot_be_are_results_of(clips: Path, recogniser: Recogniser, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "out"):
        with pytest.raises(FileError, match="cannot be written"):
            transcribe_all(clips, folder, model=recogniser)
    with pytest.raises(ConfigError, match="unknown format"):
        transcribe_all(clips, tmp_path / "out", model=recogniser, form="doc")
    assert not (tmp_path / "out").exists()


def test_a_transcript_that_cannot_be_written_counts_as_failed(
    clips: Path, recogniser: Recogniser, tmp_path: Path
) -> None:
    (tmp_path / "1").touch()  # a file instead of a folder
    (tmp_path / "0" / "3.txt").mkdir(parents=True)  # a folder instead of a file
    for summary in (
        transcribe_all(clips, tmp_path, model=recogniser, force=True),
        transcribe_all(clips, tmp_path, model=recogniser, force=True, resume=True),
    ):
        assert (summary.done + summary.skipped, summary.failed) == (6, 4)
        failed = [line for line in lines(tmp_path) if line["status"] == "failed"]
        assert len(failed) == 4 and all("cannot be written" in line["error"] for line in failed)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are set differently on Windows")
def test_a_full_disk_ends_the_run_and_leaves_complete_lines(
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
