"""Batches of words as arrays, and the scores of their labels."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PAUSE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.5)
"""Bounds between the classes of pauses, seconds."""
UNKNOWN_PAUSE = 0
"""Class of a pause that is not known; the others are 1 to `len(PAUSE_BOUNDS) + 1`."""
MAX_PIECES = 12
"""Subwords of a word that the model reads; those after them are left out."""


class WordArrays(NamedTuple):
    """A padded batch of texts."""

    pieces: NDArray[np.int64]
    """Subwords of each word `[B, T, S]`; 0 is none."""
    pauses: NDArray[np.int64]
    """Class of the pause after each word `[B, T]`."""
    lengths: NDArray[np.int64]
    """Words of each text `[B]`."""


class ScoreArrays(NamedTuple):
    """Unnormalised log probabilities of the labels of each word."""

    cases: NDArray[np.float32]
    """`[..., len(CASES)]`."""
    marks: NDArray[np.float32]
    """`[..., len(MARKS)]`."""


def pad_words(
    rows: Sequence[Sequence[Sequence[int]]], pauses: Sequence[Sequence[float] | None]
) -> WordArrays:
    """Return a batch of texts.

    Args:
        rows: the subwords of each word of each text.
        pauses: seconds of silence after each word of each text; None if they are not known.
    """
    width = max((len(pieces) for row in rows for pieces in row), default=1)
    size = len(rows), max(map(len, rows), default=0)
    batch = WordArrays(
        np.zeros((*size, max(1, min(width, MAX_PIECES))), np.int64),
        np.full(size, UNKNOWN_PAUSE),
        np.array([len(row) for row in rows], np.int64),
    )
    for i, row in enumerate(rows):
        for j, pieces in enumerate(row):
            kept = pieces[:MAX_PIECES]
            batch.pieces[i, j, : len(kept)] = kept
        known = pauses[i]
        if known is not None:
            batch.pauses[i, : len(row)] = [pause_class(pause) for pause in known]
    return batch


def pause_class(seconds: float) -> int:
    """Return the class of a pause; that of NaN is `UNKNOWN_PAUSE`.

    Example:
        >>> pause_class(0.0), pause_class(0.25), pause_class(9.0)
        (1, 3, 9)
    """
    return UNKNOWN_PAUSE if isnan(seconds) else 1 + bisect_right(PAUSE_BOUNDS, seconds)
