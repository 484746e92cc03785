"""Probabilistic forecasts and their metrics: scores, intervals, coverage, and a test of equal accuracy."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

LEVELS = (0.5, 0.8, 0.95)
"""Probabilities of the intervals."""


@dataclass(frozen=True)
class Forecast:
    """Student-t distributions, one for each of N future values.

    Args:
        location, scale, dof: `[N]`; degrees of freedom above 1, infinity for the normal distribution.
    """

    location: np.ndarray
    scale: np.ndarray
    dof: np.ndarray

    def __getitem__(self, part: slice) -> Forecast:
        return Forecast(self.location[part], self.scale[part], self.dof[part])

    def nll(self, observed: np.ndarray) -> np.ndarray:
        """Return the negative log density of the observed values, nats `[N]`."""
        nats: np.ndarray = -stats.t.logpdf(observed, self.dof, self.location, self.scale)
        return nats

    def crps(self, observed: np.ndarray) -> np.ndarray:
        """Return the continuous ranked probability score `[N]`, in the unit of the values.

        It generalises the absolute error to distributions; lower is better. Closed form: Jordan, Krüger &
        Lerch 2019, "Evaluating probabilistic forecasts with scoringRules".
        """
        z, dof = (observed - self.location) / self.scale, np.minimum(self.dof, 1e8)
        spread = (dof + z**2) / (dof - 1)
        log_beta = special.betaln(0.5, dof - 0.5) - 2 * special.betaln(0.5, dof / 2)
        constant = 2 * np.sqrt(dof) / (dof - 1) * np.exp(log_beta)
        score = z * (2 * stats.t.cdf(z, dof) - 1) + 2 * stats.t.pdf(z, dof) * spread - constant
        crps: np.ndarray = self.scale * score
        return crps

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of the central interval with probability `level`, each `[N]`."""
        reach = self.scale * stats.t.ppf((1 + level) / 2, self.dof)
        return self.location - reach, self.location + reach


def join(parts: Iterable[Forecast]) -> Forecast:
    """Concatenate forecasts."""
    fields = zip(*((part.location, part.scale, part.dof) for part in parts), strict=True)
    return Forecast(*map(np.concatenate, fields))


def conformal(
    forecast: Forecast, observed: np.ndarray, level: float, first: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return intervals calibrated on past errors, independent of the forecast distribution.

    Errors are measured in scales. The half-width of the interval of a value is the `level` quantile of the
    absolute errors before it; later errors are not used. Source: Vovk et al. 2005; Lei et al. 2018,
    "Distribution-free predictive inference for regression", section 5.2.

    Args:
        forecast, observed: N forecasts and the observed values.
        level: probability of the intervals.
        first: index of the first interval; earlier errors are only used for calibration.
    Returns:
        lower and upper bounds of `observed[first:]`.
    """
    errors = np.abs(observed - forecast.location) / forecast.scale
    past = sorted(errors[:first].tolist())
    reach = np.empty(len(observed) - first)
    for index, error in enumerate(errors[first:].tolist()):
        rank = math.ceil((len(past) + 1) * level)
        reach[index] = past[rank - 1] if rank <= len(past) else math.inf
        bisect.insort(past, error)
    center, reach = forecast.location[first:], reach * forecast.scale[first:]
    return center - reach, center + reach


def coverage(bounds: tuple[np.ndarray, np.ndarray], observed: np.ndarray) -> float:
    """Return the share of values within their bounds."""
    low, high = bounds
    return float(np.mean((low <= observed) & (observed <= high)))


def diebold_mariano(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Test whether two forecasts of one step have the same expected loss.

    The variance of the mean difference is estimated after Newey & West 1987 with
    floor(4 (N / 100)^(2/9)) lags, because losses may be correlated. Source: Diebold & Mariano 1995; the
    correction for small samples and the t distribution: Harvey et al. 1997.

    Args:
        a, b: losses of both forecasts on the same N values.
    Returns:
        the statistic, negative if `a` is lower, and the two-sided p-value.
    """
    difference = a - b
    count, mean = len(difference), float(difference.mean())
    lags, centred = math.floor(4 * (count / 100) ** (2 / 9)), difference - mean
    variance = centred @ centred / count
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (centred[lag:] @ centred[:-lag]) / count
    statistic = mean / math.sqrt(variance / count) * math.sqrt((count - 1) / count)
    return statistic, float(2 * stats.t.sf(abs(statistic), count - 1))
