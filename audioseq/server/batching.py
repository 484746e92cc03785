"""Dynamic batching: work of concurrent requests is collected, and processed together in one thread."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Job(NamedTuple, Generic[Item, Result]):
    item: Item
    result: Future[Result]


class Batcher(Generic[Item, Result]):
    """Processes items of several owners in batches.

    While a batch is processed, the next one collects. A batch takes one item of each owner in turn, so that
    a short recording does not wait for all of a long one. Items whose future was cancelled are left out.

    Args:
        process: computes the results of a batch, in order; called only in the thread of the batcher.
        cost: cost of an item, such as its seconds of audio.
        max_cost: maximum cost of a batch of several items.
        wait_seconds: how long a batch waits for further items, seconds.
    """

    def __init__(
        self,
        process: Callable[[list[Item]], list[Result]],
        *,
        cost: Callable[[Item], float],
        max_cost: float,
        wait_seconds: float,
    ) -> None:
        self._process, self._cost, self._max_cost, self._wait = process, cost, max_cost, wait_seconds
        self._queues: OrderedDict[Hashable, deque[_Job[Item, Result]]] = OrderedDict()
        self._queued = 0.0  # cost of all queued items
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, owner: Hashable, item: Item) -> Future[Result]:
        """Queue an item, and return the future of its result."""
        job = _Job[Item, Result](item, Future())
        with self._changed:
            self._queues.setdefault(owner, deque()).append(job)
            self._queued += self._cost(item)
            self._changed.notify()
        return job.result

    def close(self) -> None:
        """Process what is queued, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queues or self._closed)
                if not self._queues:
                    return
                self._changed.wait_for(self._is_full, self._wait)
                batch = self._take()
            self._finish([job for job in batch if job.result.set_running_or_notify_cancel()])

    def _is_full(self) -> bool:
        return self._queued >= self._max_cost or self._closed

    def _take(self) -> list[_Job[Item, Result]]:
        """Remove the items of the next batch from the queues."""
        batch: list[_Job[Item, Result]] = []
        total = 0.0
        while self._queues:
            owner, queue = next(iter(self._queues.items()))
            cost = self._cost(queue[0].item)
            if batch and total + cost > self._max_cost:
                break
            batch.append(queue.popleft())
            total += cost
            self._queues.move_to_end(owner)
            if not queue:
                del self._queues[owner]
        self._queued -= total
        return batch

    def _finish(self, jobs: list[_Job[Item, Result]]) -> None:
        """Compute the results of a batch; after an error, of each item alone, to find which caused it."""
        try:
            results = self._process([job.item for job in jobs]) if jobs else []
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].result.set_exception(error)
                return
            for job in jobs:
                self._finish([job])
            return
        for job, result in zip(jobs, results, strict=True):
            job.result.set_result(result)
