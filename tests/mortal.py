"""Processes that are killed: at a moment, or in place of an operation on a file."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


def make_mortal(kill_at_operation: int = 0, kill_after: float | None = None) -> None:
    """Let this process be killed.

    Args:
        kill_at_operation: which operation on a file (from 1) it is killed in place of.
        kill_after: seconds of its processor time after which it is killed; other work changes them little.
    """
    if kill_at_operation:
        left = itertools.count(kill_at_operation - 1, -1)
        for name in "fsync", "replace", "unlink":
            setattr(os, name, _deadly(getattr(os, name), left))
    if kill_after is not None:
        end = time.process_time() + kill_after
        threading.Thread(target=_die_at, args=(end,), daemon=True).start()


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
