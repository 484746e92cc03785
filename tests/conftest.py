"""What several test files share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

DATA = Path(os.environ.get("AUDIOSEQ_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Return the directory of the real data sets, or skip the test."""
    if not DATA.is_dir():
        pytest.skip(f"needs the data sets, which are not in {DATA}; set AUDIOSEQ_DATA")
    return DATA


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Keep torch on one thread: small tensors are faster so, and sums come out the same on every machine."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
