"""Walking forward through a series: who forecasts a value has learnt and seen only what came before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scores import Forecast, join

Predict = Callable[[np.ndarray], Forecast]
"""Maps N values to the forecasts of the value after each of them, which know nothing later."""
Fit = Callable[[np.ndarray], Predict]
"""Learns from the values of the past."""


def walk_forward(fit: Fit, values: np.ndarray, start: int, every: int) -> Forecast:
    """Forecast each value from `start` on by what came before it, learning anew after `every` values.

    What forecasts a stretch of values is never handed the last of them, nor anything later.

    Returns:
        the forecasts of `values[start:]`.
    """
    parts = []
    for begin in range(start, len(values), every):
        end = min(begin + every, len(values))
        parts.append(fit(values[:begin])(values[: end - 1])[begin - 1 :])
    return join(parts)
