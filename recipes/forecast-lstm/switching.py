"""A series with structure: a chaotic map with a hidden switch, and the best possible forecast of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

FREQUENCY, AMPLITUDE = 2.8, 0.9
"""Of the map: AMPLITUDE cos(FREQUENCY x)."""
NOISE = (0.1, 0.3)
"""Standard deviation of the noise in each position of the switch."""
STAY_PROBABILITY = 0.98
"""Probability that the switch keeps its position in a step."""


def image(x: np.ndarray | float) -> np.ndarray:
    """Return the map of x in both positions of the switch, 0.9 cos 2.8 x and its negative `[..., 2]`."""
    y = AMPLITUDE * np.cos(FREQUENCY * np.asarray(x))
    return np.stack([y, -y], axis=-1)


def generate(seed: int, count: int) -> np.ndarray:
    """Generate x_t = f_s(x_{t-1}) + σ_s e_t, where s is the position of the switch at t `[count]`."""
    random = np.random.default_rng(seed)
    switches, noise = random.random(count) > STAY_PROBABILITY, random.standard_normal(count)
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
        """The mean, which minimises the expected squared error `[N]`."""
        mean: np.ndarray = (self.weight * self.mean).sum(1)
        return mean

    def nll(self, observed: np.ndarray) -> np.ndarray:
        """Return the negative log density of the observed values, nats `[N]`."""
        log_density = norm.logpdf(observed[:, None], self.mean, self.deviation)
        nats: np.ndarray = -logsumexp(log_density, axis=1, b=self.weight)
        return nats

    def crps(self, observed: np.ndarray) -> np.ndarray:
        """Return the CRPS, E|X - y| - E|X - X'| / 2 `[N]` (Grimit et al. 2006)."""
        weight, mean, variance = self.weight, self.mean, self.deviation**2
        error = (weight * _mean_absolute(observed[:, None] - mean, variance)).sum(1)
        between = _mean_absolute(mean[:, :, None] - mean[:, None], variance[:, :, None] + variance[:, None])
        crps: np.ndarray = error - (weight[:, :, None] * weight[:, None] * between).sum((1, 2)) / 2
        return crps


def best_forecast(values: np.ndarray) -> Mixture:
    """Return the optimal forecast of the value after each of `values`, given the known process.

    The position of the switch is not observed; its probability is updated by Bayes' rule (Hamilton 1989).
    """
    means, deviation = image(values), np.array(NOISE)
    moves = np.array([[STAY_PROBABILITY, 1 - STAY_PROBABILITY], [1 - STAY_PROBABILITY, STAY_PROBABILITY]])
    weights, weight = np.empty((len(values), 2)), np.full(2, 0.5)
    for step, x in enumerate(values):
        if step:
            weight = weight * normal_density(x, means[step - 1], deviation)
            weight /= weight.sum()
        weight = weights[step] = weight @ moves
    return Mixture(weights, means, np.broadcast_to(deviation, means.shape))


def normal_density(x: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the normal density; fifty times as fast as scipy for two numbers."""
    density: np.ndarray = np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    return density


def _mean_absolute(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return E|X| of a normal variable."""
    deviation = np.sqrt(variance)
    mean_absolute: np.ndarray = 2 * deviation * norm.pdf(mean / deviation) + mean * (
        2 * norm.cdf(mean / deviation) - 1
    )
    return mean_absolute
