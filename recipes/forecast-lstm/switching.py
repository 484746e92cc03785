"""A series with structure: a chaotic map with a hidden switch, and the best possible forecast of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

TURN, HEIGHT = 2.8, 0.9
NOISE = (0.1, 0.3)
"""Standard deviation in either position of the switch."""
STAY = 0.98
"""Probability that the switch stays where it is."""


def image(x: np.ndarray | float) -> np.ndarray:
    """Return where the map takes x in both positions: to 0.9 cos 2.8 x, or to minus that `[..., 2]`."""
    y = HEIGHT * np.cos(TURN * np.asarray(x))
    return np.stack([y, -y], axis=-1)


def draw(seed: int, count: int) -> np.ndarray:
    """Draw x_t = f_s(x_{t-1}) + σ_s e_t, where s is the position of the switch at t `[count]`."""
    random = np.random.default_rng(seed)
    switches, noise = random.random(count) > STAY, random.standard_normal(count)
    position, x, values = 0, 0.5, np.empty(count)
    for step in range(count):
        position ^= int(switches[step])
        x = values[step] = float(image(x)[position]) + NOISE[position] * noise[step]
    return values


@dataclass(frozen=True)
class Mixture:
    """Two normal distributions for each of N values: weights, means and deviations `[N, 2]`."""

    weight: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    def __getitem__(self, part: slice) -> Mixture:
        return Mixture(self.weight[part], self.mean[part], self.deviation[part])

    @property
    def location(self) -> np.ndarray:
        """The mean, for which the expected squared error is the least."""
        found: np.ndarray = (self.weight * self.mean).sum(1)
        return found

    def nll(self, observed: np.ndarray) -> np.ndarray:
        """Return minus the log of the density at what was observed, nats `[N]`."""
        each = norm.logpdf(observed[:, None], self.mean, self.deviation)
        found: np.ndarray = -logsumexp(each, axis=1, b=self.weight)
        return found

    def crps(self, observed: np.ndarray) -> np.ndarray:
        """Return E|X - y| - E|X - X'| / 2, as in `scores` (Grimit et al. 2006)."""
        weight, mean, variance = self.weight, self.mean, self.deviation**2
        error = (weight * _absolute(observed[:, None] - mean, variance)).sum(1)
        between = _absolute(mean[:, :, None] - mean[:, None], variance[:, :, None] + variance[:, None])
        found: np.ndarray = error - (weight[:, :, None] * weight[:, None] * between).sum((1, 2)) / 2
        return found


def best_forecast(values: np.ndarray) -> Mixture:
    """Return the distribution of the value after each, given it and those before it and the process itself.

    Bayes' rule keeps the probability of either position (Hamilton 1989): the switch itself is never seen.
    """
    means, deviation = image(values), np.array(NOISE)
    moves = np.array([[STAY, 1 - STAY], [1 - STAY, STAY]])
    weights, weight = np.empty((len(values), 2)), np.full(2, 0.5)
    for step, x in enumerate(values):
        if step:
            weight = weight * norm_pdf(x, means[step - 1], deviation)
            weight /= weight.sum()
        weight = weights[step] = weight @ moves
    return Mixture(weights, means, np.broadcast_to(deviation, means.shape))


def norm_pdf(x: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the normal density; scipy's takes fifty times as long for two numbers."""
    density: np.ndarray = np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    return density


def _absolute(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return E|X| of a normal variable."""
    deviation = np.sqrt(variance)
    found: np.ndarray = 2 * deviation * norm.pdf(mean / deviation) + mean * (
        2 * norm.cdf(mean / deviation) - 1
    )
    return found
