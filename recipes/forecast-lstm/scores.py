"""Forecasts as distributions: how good they were, whether their intervals held, which was the better."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Forecast:
    """Student-t distributions, one for each of N values to come.

    Args:
        location, scale, dof: `[N]`; degrees of freedom above 1; the normal distribution has infinitely many.
    """

    location: np.ndarray
    scale: np.ndarray
    dof: np.ndarray

    def __getitem__(self, part: slice) -> Forecast:
        return Forecast(self.location[part], self.scale[part], self.dof[part])

    def nll(self, observed: np.ndarray) -> np.ndarray:
        """Return minus the log of the density at what was observed, nats `[N]`."""
        found: np.ndarray = -stats.t.logpdf(observed, self.dof, self.location, self.scale)
        return found

    def crps(self, observed: np.ndarray) -> np.ndarray:
        """Return the continuous ranked probability score `[N]`, in the unit of the values.

        It is the absolute error, but for a distribution: the lower, the closer its whole mass was. Source of
        the closed form: Jordan, Krüger & Lerch 2019, "Evaluating probabilistic forecasts with scoringRules".
        """
        z, dof = (observed - self.location) / self.scale, np.minimum(self.dof, 1e8)
        spread = (dof + z**2) / (dof - 1)
        log_beta = special.betaln(0.5, dof - 0.5) - 2 * special.betaln(0.5, dof / 2)
        constant = 2 * np.sqrt(dof) / (dof - 1) * np.exp(log_beta)
        score = z * (2 * stats.t.cdf(z, dof) - 1) + 2 * stats.t.pdf(z, dof) * spread - constant
        found: np.ndarray = self.scale * score
        return found

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds between which a value lies with a probability of `level`."""
        reach = self.scale * stats.t.ppf((1 + level) / 2, self.dof)
        return self.location - reach, self.location + reach


def join(parts: Iterable[Forecast]) -> Forecast:
    """Return forecasts one after the other."""
    fields = zip(*((part.location, part.scale, part.dof) for part in parts), strict=True)
    return Forecast(*map(np.concatenate, fields))


def conformal(
    forecast: Forecast, observed: np.ndarray, level: float, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return intervals as wide as past errors ask for, whatever the distribution says of itself.

    An error is measured in scales. The interval of each value reaches as many of them as a share `level` of
    the errors before it, and of nothing later, stayed within. Source: Vovk et al. 2005; Lei et al. 2018,
    "Distribution-free predictive inference for regression", section 5.2.

    Args:
        first: errors before it only calibrate; the intervals are those of the values from here on.
    """
    errors = np.abs(observed - forecast.location) / forecast.scale
    past = sorted(errors[:first].tolist())
    reach = np.empty(len(observed) - first)
    for place, error in enumerate(errors[first:].tolist()):
        rank = math.ceil((len(past) + 1) * level)
        reach[place] = past[rank - 1] if rank <= len(past) else math.inf
        bisect.insort(past, error)
    center, reach = forecast.location[first:], reach * forecast.scale[first:]
    return center - reach, center + reach


def coverage(bounds: tuple[np.ndarray, np.ndarray], observed: np.ndarray) -> float:
    """Return the share of values that lie within their bounds."""
    low, high = bounds
    return float(np.mean((low <= observed) & (observed <= high)))


def diebold_mariano(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Test whether two forecasts of one step have the same expected loss.

    The variance of the mean difference is that of Newey & West 1987 with floor(4 (N / 100)^(2/9)) lags, for
    losses may hang together. Source: Diebold & Mariano 1995; the correction for small samples, and the t
    distribution, Harvey et al. 1997.

    Args:
        ours, theirs: losses of the same N values.
    Returns:
        the statistic, negative where ours is the lower loss, and the two-sided p-value.
    """
    difference = ours - theirs
    count, mean = len(difference), float(difference.mean())
    lags, rest = math.floor(4 * (count / 100) ** (2 / 9)), difference - mean
    variance = rest @ rest / count
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (rest[lag:] @ rest[:-lag]) / count
    statistic = mean / math.sqrt(variance / count) * math.sqrt((count - 1) / count)
    return statistic, float(2 * stats.t.sf(abs(statistic), count - 1))
