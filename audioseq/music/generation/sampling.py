"""Scores of values to one value, drawn at random, whatever the scores and the options are."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

import numpy as np

from audioseq.errors import ConfigError

LARGEST = 1e30
"""Stands for a score that is infinite."""


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


def resolve_seed(seed: int | None) -> int:
    """Return the seed that is asked for, or one that is drawn.

    Raises:
        ConfigError: it is negative.
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    if seed < 0:
        raise ConfigError(f"seed is {seed}, but must be 0 or more")
    return seed


def draw(scores: np.ndarray, allowed: np.ndarray, sampling: Sampling, random: np.random.Generator) -> int:
    """Draw one of the allowed values; see `draw_each`.

    Example:
        >>> draw(np.array([0.0, 9.0, np.nan]), np.ones(3, bool), Sampling(0.0), np.random.default_rng())
        1
    """
    return int(draw_each(scores[None], allowed[None], sampling, np.array([random.random()]))[0])


def draw_each(scores: np.ndarray, allowed: np.ndarray, sampling: Sampling, chances: np.ndarray) -> np.ndarray:
    """Draw one of the allowed values of each row.

    Scores that are no numbers count as impossible; where nothing allowed is possible, all of it is equally
    likely. So any model gives some allowed value at any temperature.

    Args:
        scores: unnormalised log-probabilities `[B, V]`.
        allowed: `[B, V]` bool, at least one in each row.
        sampling: how.
        chances: random numbers, uniform from 0 to less than 1 `[B]`.
    Returns:
        values `[B]`.
    """
    kept = np.where(allowed, scores, -np.inf)
    best = np.maximum.reduce(kept, axis=1, keepdims=True)
    if not np.isfinite(best).all():
        kept = np.nan_to_num(kept, nan=-np.inf, posinf=LARGEST, neginf=-np.inf)
        kept[allowed & np.isneginf(kept.max(axis=1, keepdims=True))] = 0
        best = kept.max(axis=1, keepdims=True)
    if sampling.temperature == 0:
        likeliest: np.ndarray = kept.argmax(axis=1)
        return likeliest
    with np.errstate(over="ignore"):  # to minus infinity
        kept = np.subtract(kept, best, dtype=np.float64) / sampling.temperature
    weights = np.exp(kept, out=kept)
    if sampling.top_k or sampling.top_p < 1:
        weights = _likeliest(weights, sampling)
    sums = np.add.accumulate(weights, axis=1)
    # The first whose sum is above: it has a weight, and is there, as a chance is less than 1.
    found: np.ndarray = (sums > chances[:, None] * sums[:, -1:]).argmax(axis=1)
    return found


def nll(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the nats of the value of each row `[B]`, at temperature 1, everything being allowed."""
    relative = scores - np.maximum.reduce(scores, axis=1, keepdims=True)
    chosen = relative[np.arange(len(values)), values]
    result: np.ndarray = np.log(np.add.reduce(np.exp(relative), axis=1)) - chosen
    return result


def _likeliest(weights: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Set all weights but those of the likeliest values to 0; of equal ones, the first are kept."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    if sampling.top_k:
        ranked[:, sampling.top_k :] = 0
    sums = np.add.accumulate(ranked, axis=1)
    ranked[:, 1:][sums[:, :-1] >= sampling.top_p * sums[:, -1:]] = 0
    np.put_along_axis(weights, order, ranked, axis=1)
    return weights
