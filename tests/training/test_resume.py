"""A run that is killed and resumed equals an uninterrupted run bit for bit."""

from __future__ import annotations

import random
import signal
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from audioseq.training import TrainingConfig
from tests.training.conftest import Start, assert_same_result

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

# Seven updates per epoch, so that saves, validations and ends of epochs partly coincide.
CONFIG = TrainingConfig(
    epochs=2.5, learning_rate=0.01, warmup=5, save_every=2, validate_every=0.5, average=2, precision="fp32"
)


@pytest.fixture(scope="module")
def whole(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of an uninterrupted run."""
    run_dir = tmp_path_factory.mktemp("whole")
    assert finished(start(run_dir, CONFIG))
    return run_dir


def finished(process: BaseProcess) -> bool:
    """Wait for a process, and return whether it completed and was not killed."""
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


def test_killed_repeatedly_at_file_operations(start: Start, whole: Path, tmp_path: Path) -> None:
    """Each attempt performs more file operations than the previous one, so the run completes."""
    attempts = 1
    while not finished(start(tmp_path, CONFIG, kill_at_operation=3 * attempts)):
        attempts += 1
    assert attempts > 3
    assert_same_result(whole, tmp_path)


def kill_at_random(start: Start, run_dir: Path, kills: int, seconds: float) -> None:
    """Kill a run at random times, then let it complete."""
    seed = time.time_ns()
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(kills):
        finished(start(run_dir, CONFIG, kill_after=draw.uniform(0, seconds)))
    assert finished(start(run_dir, CONFIG))


def test_killed_at_random_times(start: Start, whole: Path, tmp_path: Path) -> None:
    kill_at_random(start, tmp_path, kills=3, seconds=0.3)
    assert_same_result(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("operation", range(1, 60))
def test_killed_at_any_file_operation(start: Start, whole: Path, tmp_path: Path, operation: int) -> None:
    finished(start(tmp_path, CONFIG, kill_at_operation=operation))
    assert finished(start(tmp_path, CONFIG))
    assert_same_result(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(20))
def test_killed_often(start: Start, whole: Path, tmp_path: Path, attempt: int) -> None:
    kill_at_random(start, tmp_path, kills=5, seconds=0.5)
    assert_same_result(whole, tmp_path)
