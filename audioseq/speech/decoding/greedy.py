"""Greedy CTC decoding: the best path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioseq.text.tokenizer import BLANK


@dataclass(frozen=True)
class BestPath:
    """The U tokens of the best path, with their frames and scores."""

    tokens: tuple[int, ...]
    frames: tuple[tuple[int, int], ...]
    """First frame of each token, and the frame after its last."""
    scores: tuple[float, ...]
    """Mean log-probability of each token over its frames."""


def greedy(log_probs: NDArray[np.floating], blank: int = BLANK) -> BestPath:
    """Take the best token of each frame, merge repeats, and remove blanks.

    Source: Graves et al. 2006, "Connectionist temporal classification", section 3.2 (best path decoding).

    Args:
        log_probs: log-probabilities `[T, V]`.
        blank: id of the blank token.
    Example:
        >>> path = [0, 2, 2, 0, 2, 1, 0]
        >>> best = greedy(np.log(np.eye(3)[path] * 0.7 + 0.1))
        >>> best.tokens, best.frames
        ((2, 2, 1), ((1, 3), (4, 5), (5, 6)))
    """
    if not len(log_probs):
        return BestPath((), (), ())
    best = log_probs.argmax(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1))
    ends = np.append(starts[1:], len(best))
    sums = np.add.reduceat(log_probs.max(axis=1).astype(np.float64), starts)
    kept = best[starts] != blank
    return BestPath(
        tokens=tuple(best[starts][kept].tolist()),
        frames=tuple(zip(starts[kept].tolist(), ends[kept].tolist(), strict=True)),
        scores=tuple((sums / (ends - starts))[kept].tolist()),
    )
