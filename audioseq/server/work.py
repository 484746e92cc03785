"""Work in threads, which stops soon after the client has disconnected."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from audioseq.server.errors import RequestError

T = TypeVar("T")
Check = Callable[[], None]
"""Raises `Cancelled` if the client has disconnected, or the request took too long."""


class Cancelled(Exception):
    """The client has disconnected, or the request took too long."""


async def run_in_thread(executor: Executor, work: Callable[[Check], T], timeout_seconds: float) -> T:
    """Run work in a thread; if the caller is cancelled, wait until the work has stopped.

    Args:
        executor: its threads.
        work: calls its argument repeatedly, so that it can be stopped.
        timeout_seconds: maximum time of the work.
    Raises:
        RequestError: it took longer (504).
    """
    cancelled = threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise Cancelled

    job = executor.submit(work, check)
    waiting = asyncio.wrap_future(job)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await asyncio.shield(waiting)
    except (TimeoutError, asyncio.CancelledError) as error:
        cancelled.set()
        if not job.cancel():
            await asyncio.wait([waiting])
            waiting.exception()  # mark it as retrieved
        if isinstance(error, TimeoutError):
            raise RequestError(
                f"took longer than {timeout_seconds:g} s; send or ask for something shorter",
                status=504,
                code="timeout",
            ) from None
        raise
