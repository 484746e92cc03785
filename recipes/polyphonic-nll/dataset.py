"""The files of prepare.py: the pieces of a set, by split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import DataError

SPLITS = ("train", "valid", "test")


def write(path: Path, pieces: dict[str, list[np.ndarray]]) -> str:
    """Write the pieces of each split into an npz file; return a line that describes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    for split, rows in pieces.items():
        arrays[split] = np.concatenate(rows)
        arrays[f"{split}_lengths"] = np.array([len(piece) for piece in rows])
    np.savez_compressed(path, **arrays)
    return f"{path}: " + ", ".join(f"{len(rows)} {split} pieces" for split, rows in pieces.items())


def read(path: Path, split: str) -> list[np.ndarray]:
    """Read the pieces of a split, each `[T, 88]` or `[T, 4]`; DataError if the file is missing."""
    if not path.exists():
        raise DataError(f"{path}: is missing; run prepare.py first")
    with np.load(path) as arrays:
        return list(np.split(arrays[split], np.cumsum(arrays[f"{split}_lengths"])[:-1]))
