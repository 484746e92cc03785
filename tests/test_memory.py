"""Freed memory is returned to the system."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

from audioseq.memory import release_freed_memory

needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc"
)


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


@needs_glibc
def test_pieces_between_living_objects_are_released() -> None:
    small = [np.ones(10_000, np.uint8) for _ in range(20_000)]  # 200 MB, too small to be mapped one by one
    kept = small[::100]
    full = resident_mb()
    del small
    release_freed_memory()
    assert full - resident_mb() > 100 and len(kept) == 200


def test_another_c_library_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    release_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    release_freed_memory()
