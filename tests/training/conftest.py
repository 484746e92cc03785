"""Processes that train the toy, and how their ends compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from audioseq import checkpoint

ROOT = Path(__file__).parents[2]

Start = Callable[..., BaseProcess]


@pytest.fixture(scope="session")
def start(launch: Start) -> Start:
    """Start a process that trains the toy."""
    from tests.training.toy import child

    return partial(launch, child)


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
