"""Memory of long-lived processes."""

from __future__ import annotations

import ctypes
import sys


def release_freed_memory() -> None:
    """Return freed memory to the system, where the C library is glibc; elsewhere do nothing.

    glibc keeps most of it, in pieces between objects that live on. A process that transcribes recordings of
    many lengths would hold 100 to 250 MB more than it needs (`tests/benchmarks/bench_soak.py`).
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
