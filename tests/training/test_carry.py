"""State carried from batch to batch: saved with the run, and separate for each process."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import torch

from audioseq import checkpoint
from audioseq.training import TrainingConfig, fit
from audioseq.training.distributed import Group
from tests.training.conftest import Start, assert_same_result
from tests.training.streams import STREAMS, Streams
from tests.training.test_distributed import assert_close_result, run_group

CONFIG = TrainingConfig(
    epochs=2.5, learning_rate=0.01, warmup=5, save_every=2, validate_every=0.5, average=2, precision="fp32"
)


def test_each_window_gets_the_state_of_the_previous_one(tmp_path: Path) -> None:
    task = Streams(CONFIG, dropout=0)
    fit(task, CONFIG, tmp_path, device="cpu")
    empty = [len(state) == 0 for state in task.received]
    assert empty == [update % 7 == 0 for update in range(18)]
    assert all(len(state) == STREAMS for state in task.received if len(state))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_and_resumed_run_equals_uninterrupted_run(start: Start, tmp_path: Path) -> None:
    start(tmp_path / "whole", CONFIG, task=Streams).join()
    for attempt in range(1, 100):
        process = start(tmp_path / "killed", CONFIG, task=Streams, kill_at_operation=4 * attempt)
        process.join()
        if process.exitcode != -signal.SIGKILL:
            break
    assert attempt > 2
    assert_same_result(tmp_path / "whole", tmp_path / "killed")


def test_result_depends_on_the_saved_carry(tmp_path: Path) -> None:
    """A run resumed without the carry in its training state has a different result."""
    short, rest = CONFIG.model_copy(update={"epochs": 0.5}), CONFIG.model_copy(update={"epochs": 1.0})
    for name in "kept", "lost":
        fit(Streams(CONFIG), short, tmp_path / name, device="cpu")
    state = checkpoint.load_state(tmp_path / "lost" / "state.pt")
    assert [rows.shape for rows in state.pop("carry")] == [(STREAMS, 1, 6)]
    checkpoint.save_state(tmp_path / "lost" / "state.pt", state)
    for name in "kept", "lost":
        fit(Streams(CONFIG), rest, tmp_path / name, resume=True, device="cpu")
    with pytest.raises(AssertionError):
        assert_same_result(tmp_path / "kept", tmp_path / "lost")


def test_two_processes_equal_one(start: Start, tmp_path: Path) -> None:
    for size in 1, 2:
        ended = run_group(start, tmp_path / str(size), CONFIG, size, task=Streams, dropout=0)
        assert set(ended) == {0}
    assert_close_result(tmp_path / "1", tmp_path / "2")


def test_run_of_two_processes_is_resumed_by_one(start: Start, tmp_path: Path) -> None:
    for name, size in ("two, then one", 2), ("one", 1):
        half = CONFIG.model_copy(update={"epochs": 0.5})
        run_group(start, tmp_path / name, half, size, task=Streams, dropout=0)
        assert set(run_group(start, tmp_path / name, CONFIG, 1, task=Streams, dropout=0)) == {0}
    assert_close_result(tmp_path / "one", tmp_path / "two, then one")


def test_carry_is_zero_after_a_non_finite_loss(tmp_path: Path) -> None:
    task = Streams(CONFIG, poison=[2])
    assert fit(task, CONFIG, tmp_path, device="cpu").skipped == 3
    assert all((state == 0).all() for state in task.received[3::7])
    assert all(state.isfinite().all() for state in task.received)


def test_gather_rows_in_a_single_process() -> None:
    rows = torch.arange(4.0)[:, None]
    assert Group(0, 1, torch.device("cpu")).gather_rows((rows,))[0].equal(rows)
    assert Group(0, 1, torch.device("cpu")).gather_rows(()) == ()
