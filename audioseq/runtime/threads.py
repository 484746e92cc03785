"""Threads of the matrix products of NumPy."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_find_libraries = functools.cache(ThreadpoolController)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute the matrix products of NumPy on one thread within this context, in the whole process.

    On several threads, those of some dozens of rows are hardly faster, and cost several times the processor
    time: the threads of OpenBLAS spin while they wait.
    """
    with _find_libraries().limit(limits=1, user_api="blas"):
        yield
