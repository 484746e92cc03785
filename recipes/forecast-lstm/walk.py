"""Walk-forward evaluation: a forecast depends only on earlier values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scores import Forecast, join

Predict = Callable[[np.ndarray], Forecast]
"""Forecasts the value after each of N values from the values up to it."""
Fit = Callable[[np.ndarray], Predict]
"""Fits a model to the values of the past."""


def walk_forward(fit: Fit, values: np.ndarray, start: int, every: int) -> Forecast:
    """Forecast each value from index `start` on from the values before it.

    The model is fitted again after `every` values. The forecasting function is not given the last value of
    its block, or any later value.

    Args:
        fit: fits the model to past values.
        values: the series.
        start: index of the first forecast.
        every: number of values between two fits.
    Returns:
        the forecasts of `values[start:]`.
    """
    parts = []
    for begin in range(start, len(values), every):
        end = min(begin + every, len(values))
        parts.append(fit(values[:begin])(values[: end - 1])[begin - 1 :])
    return join(parts)
