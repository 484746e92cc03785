"""Errors of run directories: one-line messages, and existing files are not changed."""

from __future__ import annotations

import errno
import getpass
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.errors import AudioseqError, CheckpointError, ConfigError, FileError
from audioseq.training import TrainingConfig, fit
from audioseq.training.run import RunDirectory
from tests.training.conftest import assert_same_result
from tests.training.toy import Toy

CONFIG = TrainingConfig(epochs=2, learning_rate=0.02, warmup=4, save_every=3, average=2, precision="fp32")


def train(run_dir: Path, config: TrainingConfig = CONFIG, **options: Any) -> None:
    """Train the toy task."""
    fit(Toy(config), config, run_dir, device="cpu", **options)


def with_epochs(epochs: float) -> TrainingConfig:
    """Return CONFIG with another number of epochs."""
    return CONFIG.model_copy(update={"epochs": epochs})


def one_line(caught: pytest.ExceptionInfo[AudioseqError]) -> str:
    """Return the error message, which must be one line."""
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_existing_run_is_not_overwritten(tmp_path: Path) -> None:
    train(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(ConfigError, match="--resume") as caught:
        train(tmp_path)
    assert str(tmp_path) in one_line(caught)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


def test_another_process_in_the_directory_is_an_error(tmp_path: Path) -> None:
    train(tmp_path, with_epochs(1))
    with closing(RunDirectory(tmp_path)) as run:
        run.open(resume=True)
        with pytest.raises(ConfigError, match="another process trains in this directory") as caught:
            train(tmp_path, resume=True)
        one_line(caught)
    train(tmp_path, resume=True)


def test_files_that_a_killed_process_left_are_removed(tmp_path: Path) -> None:
    """They are not always written again: the last model may be complete already."""
    train(tmp_path, with_epochs(1))
    for left in tmp_path / ".last.safetensors.tmp", tmp_path / "snapshots" / ".1.safetensors.tmp":
        left.write_bytes(b"half")
    train(tmp_path, resume=True)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.skipif(sys.platform == "win32", reason="users of Windows have names")
def test_a_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first optimiser of a process imports a module of torch that asks for the name."""

    def fail(user: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {user}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", fail)
    train(tmp_path, with_epochs(1))
    assert getpass.getuser() == str(os.getuid())


def test_resume_without_a_run_starts_one(tmp_path: Path) -> None:
    train(tmp_path / "resumed", resume=True)
    train(tmp_path / "plain")
    assert_same_result(tmp_path / "resumed", tmp_path / "plain")


def test_run_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="--run-dir") as caught:
        train(tmp_path / "file" / "run")
    one_line(caught)


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "other keys", "no table"])
def test_damaged_training_state(tmp_path: Path, damage: str) -> None:
    train(tmp_path)
    state, best = tmp_path / "state.pt", (tmp_path / "best.safetensors").read_bytes()
    content = state.read_bytes()
    if damage == "other keys":
        checkpoint.save_state(state, {"progress": {"epochs": 3}, "model": {}})
    elif damage == "no table":
        torch.save([1, 2], state)
    else:
        damaged = {"empty": b"", "cut": content[: len(content) // 2], "text": b"not a state"}
        state.write_bytes(damaged[damage])
    with pytest.raises(CheckpointError, match=r"state\.pt") as caught:
        train(tmp_path, resume=True)
    one_line(caught)
    assert (tmp_path / "best.safetensors").read_bytes() == best


def test_training_state_of_an_older_version(tmp_path: Path) -> None:
    """The field `advised` was once called `noticed`."""
    train(tmp_path / "old", with_epochs(1))
    state = checkpoint.load_state(tmp_path / "old" / "state.pt")
    state["progress"]["noticed"] = state["progress"].pop("advised")
    checkpoint.save_state(tmp_path / "old" / "state.pt", state)
    train(tmp_path / "new", with_epochs(1))
    for name in "old", "new":
        train(tmp_path / name, resume=True)
    assert_same_result(tmp_path / "old", tmp_path / "new")


def test_training_state_of_another_model(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(CheckpointError, match=r"head.weight is \[2, 6\], was \[1, 6\]") as caught:
        fit(Toy(CONFIG, outputs=2), CONFIG, tmp_path, resume=True, device="cpu")
    one_line(caught)


def test_changed_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path)
    monkeypatch.setattr(Toy, "header", lambda self, card: Header("toy", tokenizer={"merges": [["a", "b"]]}))
    with pytest.raises(ConfigError, match=r"tokenizer differs .* including --from") as caught:
        fit(Toy(CONFIG), CONFIG, tmp_path, resume=True, device="cpu")
    one_line(caught)


def test_changed_batches_within_an_epoch(tmp_path: Path) -> None:
    train(tmp_path, with_epochs(0.5))
    with pytest.raises(ConfigError, match="same data, seed and batch size") as caught:
        fit(Toy(CONFIG, batch=5), CONFIG, tmp_path, resume=True, device="cpu")
    one_line(caught)


@pytest.mark.parametrize("writes", [0, 1, 2, 5, 7, 8])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """After `writes` more files, the run stops with a one-line error; it can be resumed with free space."""
    run_dir = tmp_path / "run"
    train(run_dir, with_epochs(1))
    state = (run_dir / "state.pt").read_bytes()
    left = [None] * writes
    fsync = os.fsync

    def full(file: int) -> None:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left.pop()
        fsync(file)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(FileError, match="No space left on device") as caught:
            train(run_dir, with_epochs(2), resume=True)
    one_line(caught)
    if writes < 3:  # config.toml and metrics.jsonl, but not the state
        assert (run_dir / "state.pt").read_bytes() == state
    assert not list(run_dir.glob("**/*.tmp"))
    for name in "last", "best":
        checkpoint.load(run_dir / f"{name}.safetensors")
    train(run_dir, with_epochs(2), resume=True)
    train(tmp_path / "whole", with_epochs(1))
    train(tmp_path / "whole", with_epochs(2), resume=True)
    assert_same_result(run_dir, tmp_path / "whole")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_unwritable_metrics(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(FileError, match="No space left on device") as caught:
        train(tmp_path, resume=True)
    one_line(caught)


def test_warm_start_from_a_model_that_does_not_fit(tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    checkpoint.save(other, {"something": torch.zeros(3)}, checkpoint.Header("toy"))
    with pytest.raises(CheckpointError, match="none of its weights fit") as caught:
        train(tmp_path / "run", start_from=other)
    one_line(caught)
    checkpoint.save(other, {"something": torch.zeros(3)}, checkpoint.Header("music"))
    with pytest.raises(CheckpointError, match=r"is a model for .?music") as caught:
        train(tmp_path / "run", start_from=other, resume=True)
    one_line(caught)
