"""Fixtures shared by several test files."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # tests and the processes that they start import each other
DATA = Path(os.environ.get("AUDIOSEQ_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the folder of the real data sets, or skip the test."""
    if not DATA.is_dir():
        pytest.skip(f"needs the data sets, which {DATA} does not contain; set AUDIOSEQ_DATA")
    return DATA


@pytest.fixture(scope="session")
def launch() -> Callable[..., BaseProcess]:
    """Return a function that starts a process, forked from one with torch loaded if the system allows it."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    if "forkserver" in multiprocessing.get_all_start_methods():
        context: Any = multiprocessing.get_context("forkserver")
        # The first optimiser of a process loads dynamo, which takes a second: load it once for all.
        context.set_forkserver_preload(["torch._dynamo", "tests.training.toy", "tests.commands"])
    else:
        context = multiprocessing.get_context("spawn")

    def launch(target: Callable[..., object], *arguments: Any, **options: Any) -> BaseProcess:
        process: BaseProcess = context.Process(target=target, args=arguments, kwargs=options)
        process.start()
        return process

    return launch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Limit torch to one thread, which is faster for small tensors and makes sums reproducible."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
