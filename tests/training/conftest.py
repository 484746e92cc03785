"""Fixtures and helpers: train the toy task in a process, and compare the results of runs."""

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
    """Return a function that starts a process that trains the toy task."""
    from tests.training.toy import child

    return partial(launch, child)


def lines(run_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl without `speed`, which depends on the clock."""
    found = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "speed"} for line in found]


def assert_same_result(one: Path, other: Path) -> None:
    """Assert that two runs have equal metrics, and model files equal bit for bit."""
    assert lines(one) == lines(other)
    for name in ("last", "best", "averaged"):
        first, second = (checkpoint.load(run / f"{name}.safetensors").weights for run in (one, other))
        assert first.keys() == second.keys()
        assert all(first[key].equal(second[key]) for key in first), name
