"""Training in several processes equals training in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from audioseq import checkpoint
from audioseq.config import dump_toml
from audioseq.training import TrainingConfig
from audioseq.training.distributed import Group
from tests.training.conftest import ROOT, Start, assert_same_result, lines

CONFIG = TrainingConfig(epochs=2, learning_rate=0.02, warmup=4, save_every=3, average=2, precision="fp32")


def run_group(
    start: Start, run_dir: Path, config: TrainingConfig = CONFIG, size: int = 2, **options: object
) -> list[int | None]:
    """Train in a group of processes that meets through a file; return their exit codes."""
    run_dir.mkdir(parents=True, exist_ok=True)
    store = run_dir / f"store{len(list(run_dir.glob('store*')))}"
    group = [start(run_dir, config, rank=(rank, size), store=store, **options) for rank in range(size)]
    for process in group:
        process.join()
    return [process.exitcode for process in group]


def assert_close_result(one: Path, other: Path) -> None:
    """Assert that two runs have equal metrics and weights up to rounding."""
    pairs = list(zip(lines(one), lines(other), strict=True))
    for first, second in pairs:
        if "loss" in first:
            assert first["loss"] == pytest.approx(second["loss"], rel=1e-5)
            assert first["seconds"] == pytest.approx(second["seconds"], rel=1e-5)
        else:
            assert first["valid"] == pytest.approx(second["valid"], rel=1e-4)
    ends = [checkpoint.load(run / "last.safetensors").weights for run in (one, other)]
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-3, atol=1e-5)


def test_two_processes_equal_one(start: Start, tmp_path: Path) -> None:
    for size in 1, 2:
        assert set(run_group(start, tmp_path / str(size), size=size, random=False)) == {0}
    assert_close_result(tmp_path / "1", tmp_path / "2")


def test_more_processes_than_examples_in_a_batch(start: Start, tmp_path: Path) -> None:
    """With batches of one example, a process has no examples and does not block the other."""
    config = CONFIG.model_copy(update={"epochs": 1.0, "accumulate": 2})
    for size in 1, 2:
        assert set(run_group(start, tmp_path / str(size), config, size, batch=1, random=False)) == {0}
    assert_close_result(tmp_path / "1", tmp_path / "2")


def test_killed_and_resumed_run_equals_uninterrupted_run(start: Start, tmp_path: Path) -> None:
    """With dropout: each process has its own random numbers, and repeats them after resuming."""
    assert run_group(start, tmp_path / "whole") == [0, 0]
    ends = run_group(start, tmp_path / "killed", kill_at_operation=30)
    assert -signal.SIGKILL in ends
    assert run_group(start, tmp_path / "killed") == [0, 0]
    assert_same_result(tmp_path / "whole", tmp_path / "killed")


def test_only_the_first_process_reports_an_error(start: Start, tmp_path: Path) -> None:
    """An unreadable training state stops all processes with one error message."""
    (tmp_path / "state.pt").write_bytes(b"no state")
    assert run_group(start, tmp_path) == [1, 1]
    assert "state.pt: is damaged" in (tmp_path / "error0").read_text()
    assert not (tmp_path / "error1").exists()


def test_torchrun(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(dump_toml(CONFIG))
    toy = str(ROOT / "tests" / "training" / "toy.py")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*torchrun, toy, str(tmp_path / "two"), str(config)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    if sys.platform == "linux":  # a remaining thread can abort the process when Python exits
        assert [(tmp_path / "two" / f"threads{rank}").read_text() for rank in range(2)] == ["0", "0"]
    run_group(start, tmp_path / "one", size=1, batch=8, random=False)
    assert_close_result(tmp_path / "one", tmp_path / "two")


def test_local_parts_divide_the_batch() -> None:
    device = torch.device("cpu")
    parts = [Group(rank, 3, device).local_part([5, 6, 7, 8]) for rank in range(3)]
    assert parts == [[5, 8], [6], [7]]
    assert Group(2, 3, device).local_part([1, 2]) == []
