"""A command that is killed at operations on files, and started again, writes the same files as without kills.

`tests/benchmarks/bench_kills.py` does the same at a thousand random moments.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from tests import commands

Launch = Callable[..., BaseProcess]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


@pytest.fixture(scope="module")
def inputs(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kills") / "inputs"
    process = launch(commands.make_inputs, folder)
    process.join()
    assert process.exitcode == 0
    return folder


@pytest.fixture(scope="module")
def url(inputs: Path) -> Iterator[str]:
    """Return the address of the model for `models fetch`."""
    with commands.make_server(inputs) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield commands.address(server)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("name", "step", "kills"),
    [("train speech", 9, 4), ("train language", 6, 4), ("models fetch", 1, 1), ("lm train", 1, 2)],
)
def test_killed_at_file_operations(
    launch: Launch, inputs: Path, url: str, tmp_path: Path, name: str, step: int, kills: int
) -> None:
    """Each attempt performs more operations than the one before, so the command ends."""

    def finished(folder: Path, kill_at_operation: int = 0) -> bool:
        folder.mkdir(exist_ok=True)
        log = tmp_path / "log"
        process = launch(
            commands.run_command, name, inputs, folder, log=log, url=url, kill_at_operation=kill_at_operation
        )
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), log.read_text()
        return process.exitcode == 0

    assert finished(tmp_path / "whole")
    killed = 0
    while not finished(tmp_path / "killed", 1 + step * killed):
        killed += 1
    assert killed >= kills
    assert commands.contents(tmp_path / "killed") == commands.contents(tmp_path / "whole")
