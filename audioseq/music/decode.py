"""Scores of values to one value, drawn at random, whatever the scores and the options are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from audioseq.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """How values are drawn.

    Args:
        temperature: below 1 the likely ones become likelier; 0 always takes the likeliest.
        top_k: only so many of the likeliest; 0 is all.
        top_p: only the likeliest that together have this probability; 1 is all.
    Raises:
        ConfigError: a value is out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature:g}, but must be 0 or more, and finite")
        if self.top_k < 0:
            raise ConfigError(f"top-k is {self.top_k}, but must be 0 (all) or more")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p is {self.top_p:g}, but must be above 0, and at most 1")


def draw(scores: np.ndarray, allowed: np.ndarray, sampling: Sampling, random: np.random.Generator) -> int:
    """Draw one of the allowed values.

    Scores that are no numbers count as impossible; where nothing allowed is possible, all of it is equally
    likely. So any model gives some allowed value at any temperature.

    Args:
        scores: unnormalised log-probabilities `[V]`.
        allowed: `[V]` bool, at least one.
        sampling: how.
        random: one number is drawn from it.
    Example:
        >>> draw(np.array([0.0, 9.0, np.nan]), np.ones(3, bool), Sampling(0.0), np.random.default_rng())
        1
    """
    values = np.flatnonzero(allowed)
    kept = scores[values].astype(np.float64)
    kept = np.nan_to_num(kept, nan=-np.inf, posinf=1e30, neginf=-np.inf)
    chance = float(random.random())
    if np.isneginf(kept).all():
        return int(values[int(chance * len(values))])
    order = np.argsort(-kept, kind="stable")
    kept, values = kept[order] - kept[order[0]], values[order]
    if sampling.temperature == 0:
        return int(values[0])
    with np.errstate(over="ignore", under="ignore"):
        weights = np.exp(kept / sampling.temperature)
    if sampling.top_k:
        weights = weights[: sampling.top_k]
    sums = np.cumsum(weights)
    if sampling.top_p < 1:
        sums = sums[: int(np.searchsorted(sums, sampling.top_p * sums[-1])) + 1]
    return int(values[min(int(np.searchsorted(sums, chance * sums[-1], side="right")), len(sums) - 1)])
