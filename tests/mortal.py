"""Processes that kill themselves: after some time, or at an operation on a file."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OPERATIONS = ("fsync", "replace", "unlink")
"""Functions of `os` that count as operations on files."""


def make_mortal(kill_at_operation: int = 0, kill_after: float | None = None) -> None:
    """Make this process kill itself.

    Args:
        kill_at_operation: number of the operation on a file (from 1) before which the process is killed.
        kill_after: processor time in seconds after which the process is killed.
    """
    if kill_at_operation:
        left = itertools.count(kill_at_operation - 1, -1)
        for name in OPERATIONS:
            setattr(os, name, _deadly(getattr(os, name), left))
    if kill_after is not None:
        end = time.process_time() + kill_after
        threading.Thread(target=_die_at, args=(end,), daemon=True).start()


def count_operations(path: Path) -> None:
    """Append a byte to a file before each operation on a file of this process."""

    def counting(operation: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            with path.open("ab") as file:
                file.write(b".")
            return operation(*args, **options)

        return counted

    for name in OPERATIONS:
        setattr(os, name, counting(getattr(os, name)))


def _deadly(operation: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    def deadly(*args: Any, **options: Any) -> Any:
        return operation(*args, **options) if next(left) else _die()

    return deadly


def _die_at(end: float) -> None:
    while time.process_time() < end:
        time.sleep(0.001)
    _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
