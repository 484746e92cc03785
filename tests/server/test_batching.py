"""Dynamic batching: batches, turns, errors and cancelling."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait

import pytest

from audioseq.server.batching import Batcher


class Doubler:
    """Doubles numbers; waits until it is released, and fails for negative ones."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.free = threading.Event()

    def __call__(self, items: list[int]) -> list[int]:
        self.free.wait(10)
        self.batches.append(items)
        if min(items) < 0:
            raise ValueError("negative")
        return [2 * item for item in items]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


@pytest.fixture
def batcher(doubler: Doubler) -> Iterator[Batcher[int, int]]:
    batcher = Batcher(doubler, cost=abs, max_cost=10, wait_seconds=0.0)
    yield batcher
    doubler.free.set()
    batcher.close()


def test_work_that_waits_is_batched_in_turns(doubler: Doubler, batcher: Batcher[int, int]) -> None:
    first = batcher.submit("first", 1)  # processed alone, as nothing else is there
    while batcher._queues:
        pass
    long = [batcher.submit("long", n) for n in (2, 3, 4)]
    short = batcher.submit("short", 5)
    doubler.free.set()
    wait([first, *long, short])
    assert doubler.batches == [[1], [2, 5, 3], [4]]
    assert [future.result() for future in (first, *long, short)] == [2, 4, 6, 8, 10]


def test_an_item_above_the_limit_is_a_batch(doubler: Doubler, batcher: Batcher[int, int]) -> None:
    doubler.free.set()
    assert batcher.submit("a", 99).result(10) == 198


def test_an_error_is_that_of_its_item(doubler: Doubler, batcher: Batcher[int, int]) -> None:
    batcher.submit("first", 1)
    while batcher._queues:
        pass
    good, bad = batcher.submit("a", 2), batcher.submit("b", -3)
    doubler.free.set()
    assert good.result(10) == 4
    with pytest.raises(ValueError, match="negative"):
        bad.result(10)
    assert doubler.batches == [[1], [2, -3], [2], [-3]]


def test_cancelled_items_are_left_out(doubler: Doubler, batcher: Batcher[int, int]) -> None:
    batcher.submit("first", 1)
    while batcher._queues:
        pass
    gone, kept = batcher.submit("a", 2), batcher.submit("b", 3)
    assert gone.cancel()
    doubler.free.set()
    assert kept.result(10) == 6
    assert doubler.batches == [[1], [3]]


def test_closing_finishes_what_is_queued(doubler: Doubler) -> None:
    batcher = Batcher(doubler, cost=abs, max_cost=1, wait_seconds=10.0)
    futures = [batcher.submit("a", 1) for _ in range(3)]
    doubler.free.set()
    batcher.close()
    assert [future.result(0) for future in futures] == [2, 2, 2]
