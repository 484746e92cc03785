"""Makes the toy task importable, here and in the processes that tests start."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from audioseq import checkpoint
from audioseq.training import TrainingConfig

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

Start = Callable[..., BaseProcess]


@pytest.fixture(scope="session")
def start() -> Start:
    """Start a process that trains the toy; forked from one that has torch loaded, where that can be."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    if "forkserver" in multiprocessing.get_all_start_methods():
        context: Any = multiprocessing.get_context("forkserver")
        # The first optimiser of a process loads dynamo, which takes a second: better once than in each.
        context.set_forkserver_preload(["torch._dynamo", "tests.training.toy"])
    else:
        context = multiprocessing.get_context("spawn")
    from tests.training.toy import child

    def start(run_dir: Path, config: TrainingConfig, **options: Any) -> BaseProcess:
        process: BaseProcess = context.Process(target=child, args=(run_dir, config), kwargs=options)
        process.start()
        return process

    return start


def lines(run_dir: Path) -> list[dict[str, Any]]:
    """Return the metrics of a run without what depends on the clock."""
    found = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "speed"} for line in found]


def assert_same_end(one: Path, other: Path) -> None:
    """Two runs ended with the same bits."""
    assert lines(one) == lines(other)
    for name in ("last", "best", "averaged"):
        first, second = (checkpoint.load(run / f"{name}.safetensors").weights for run in (one, other))
        assert first.keys() == second.keys()
        assert all(first[key].equal(second[key]) for key in first), name
