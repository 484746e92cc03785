"""Sample values from scores, with temperature, top-k and top-p."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass

import numpy as np

from audioseq.errors import ConfigError

MAX_SCORE = 1e30
"""Replaces an infinite score."""


@dataclass(frozen=True)
class Sampling:
    """Options of sampling.

    Args:
        temperature: divides the scores: below 1 likely values become likelier; 0 always takes the likeliest.
        top_k: number of the likeliest values to sample from; 0 is all.
        top_p: total probability of the likeliest values to sample from (nucleus sampling); 1 is all.
    Raises:
        ConfigError: a value is out of range.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature:g}; give a finite value of 0 or more")
        if self.top_k < 0:
            raise ConfigError(f"top-k is {self.top_k}; give 0 (all values) or more")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top-p is {self.top_p:g}; give a value above 0, and at most 1")


def resolve_seed(seed: int | None) -> int:
    """Return a seed, or a random one for None.

    Raises:
        ConfigError: the seed is negative.
    """
    seed = secrets.randbelow(2**31) if seed is None else seed
    if seed < 0:
        raise ConfigError(f"seed is {seed}; give 0 or more")
    return seed


def draw(scores: np.ndarray, allowed: np.ndarray, sampling: Sampling, random: np.random.Generator) -> int:
    """Sample one of the allowed values; see `draw_rows`.

    Example:
        >>> draw(np.array([0.0, 9.0, np.nan]), np.ones(3, bool), Sampling(0.0), np.random.default_rng())
        1
    """
    return int(draw_rows(scores[None], allowed[None], sampling, np.array([random.random()]))[0])


def draw_rows(scores: np.ndarray, allowed: np.ndarray, sampling: Sampling, uniform: np.ndarray) -> np.ndarray:
    """Sample one of the allowed values of each row.

    A score that is NaN counts as minus infinity. If no allowed value of a row has a higher score, all of them
    are equally likely. So every model gives an allowed value at every temperature.

    Args:
        scores: unnormalised log-probabilities `[B, V]`.
        allowed: `[B, V]` bool, at least one in each row.
        sampling: options.
        uniform: random numbers in [0, 1) `[B]`.
    Returns:
        values `[B]`.
    """
    kept = np.where(allowed, scores, -np.inf)
    best = np.maximum.reduce(kept, axis=1, keepdims=True)
    if not np.isfinite(best).all():
        kept = np.nan_to_num(kept, nan=-np.inf, posinf=MAX_SCORE, neginf=-np.inf)
        kept[allowed & np.isneginf(kept.max(axis=1, keepdims=True))] = 0
        best = kept.max(axis=1, keepdims=True)
    if sampling.temperature == 0:
        return np.asarray(kept.argmax(axis=1))
    # Subtract before dividing, so that the best score is 0 at any temperature, and an overflow can only give
    # minus infinity, which is a weight of 0.
    with np.errstate(over="ignore"):
        kept = np.subtract(kept, best, dtype=np.float64) / sampling.temperature
    weights = np.exp(kept, out=kept)
    if sampling.top_k or sampling.top_p < 1:
        weights = _filter_likeliest(weights, sampling)
    # Inverse transform sampling on unnormalised sums. The first sum above the threshold belongs to a value
    # with a positive weight, and it exists, because the random number is below 1.
    sums = np.add.accumulate(weights, axis=1)
    return np.asarray((sums > uniform[:, None] * sums[:, -1:]).argmax(axis=1))


def nll(scores: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood of the value of each row, at temperature 1, in nats `[B]`."""
    relative = scores - np.maximum.reduce(scores, axis=1, keepdims=True)
    chosen = relative[np.arange(len(values)), values]
    return np.asarray(np.log(np.add.reduce(np.exp(relative), axis=1)) - chosen)


def _filter_likeliest(weights: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Set the weights outside top-k and top-p to 0; of equal weights, the first are kept."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ranked = np.take_along_axis(weights, order, axis=1)
    if sampling.top_k:
        ranked[:, sampling.top_k :] = 0
    sums = np.add.accumulate(ranked, axis=1)
    # A value is dropped if those before it already reach top-p; the likeliest always stays.
    ranked[:, 1:][sums[:, :-1] >= sampling.top_p * sums[:, -1:]] = 0
    np.put_along_axis(weights, order, ranked, axis=1)
    return weights
