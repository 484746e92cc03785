"""Forecasts of several steps: paths sampled step by step from the network and its past errors."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scores import LEVELS, Forecast
from series import Series
from task import Learned, LearnerConfig, learn

PATHS = 2000
"""Number of sampled paths."""


def past_errors(forecast: Forecast, observed: np.ndarray) -> np.ndarray:
    """Return the errors of forecasts in units of their scales."""
    errors: np.ndarray = (observed - forecast.location) / forecast.scale
    return errors


@torch.no_grad()
def sample(learned: Learned, values: np.ndarray, steps: int, errors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Sample continuations of a series.

    Each step is the forecast location plus the forecast scale times a past error. The width of the intervals
    therefore depends on the past errors and not on the learnt distribution. Source: Barone-Adesi et al. 1999,
    filtered historical simulation.

    Args:
        values: the values so far `[N]`.
        errors: errors of past forecasts, in scales, on values that were not used for training.
        steps: number of values to sample.
        seed: seed of the random errors.
    Returns:
        sampled values `[PATHS, steps]`.
    """
    random = np.random.default_rng(seed)
    forecast, state = learned.model(learned.normalise(values)[None])
    state = state.repeat(PATHS)
    paths = np.empty((PATHS, steps))
    for step in range(steps):
        noise = torch.from_numpy(random.choice(errors, (PATHS, 1))).float()
        x = forecast.location[:, -1:] + forecast.scale[:, -1:] * noise
        paths[:, step] = learned.mean + learned.deviation * x[:, 0].double().numpy()
        forecast, state = learned.model(x, state)
    return paths


def quantiles(paths: np.ndarray) -> dict[str, np.ndarray]:
    """Return the median of sampled paths, and the bounds of each level, at each step."""
    bounds = {"median": np.median(paths, axis=0)}
    for level in LEVELS:
        for side, share in (("low", (1 - level) / 2), ("high", (1 + level) / 2)):
            bounds[f"{level:.0%} {side}"] = np.quantile(paths, share, axis=0)
    return bounds


def forecast_next(
    series: Series, config: LearnerConfig, steps: int
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Train a network on a series; return the next dates and the quantiles of the levels there.

    The errors are those on the end of the series, which is held out.
    """
    values = series.values
    with TemporaryDirectory() as folder:
        learned = learn(config, values, Path(folder))
    held_out = round(config.held_out * len(values))
    errors = past_errors(learned(values[:-1])[-held_out:], values[-held_out:])
    return series.next_dates(steps), quantiles(series.to_levels(sample(learned, values, steps, errors)))


def year_ahead(
    folder: Path, values: np.ndarray, forecast: Forecast, start: int, test: int, every: int
) -> dict[str, Any]:
    """Return the coverage of intervals of the sum of the next twelve values, forecast every twelve values.

    Args:
        folder: folder of the networks, with a subfolder for each number of values that one was fitted to.
        values: the whole series.
        forecast: one-step forecasts of `values[start:]`; past errors are sampled from them.
        start, test: indices of the first forecast and of the test period.
        every: number of values after which a new network was fitted.
    """
    within = {f"{level:.0%}": 0 for level in LEVELS}
    origins = range(test, len(values) - 11, 12)
    for origin in origins:
        fitted = start + (origin - start) // every * every
        errors = past_errors(forecast[: origin - start], values[start:origin])
        learned = Learned(folder / str(fitted) / "best.safetensors")
        sums = sample(learned, values[:origin], 12, errors, seed=origin).sum(1)
        bounds, total = quantiles(sums[:, None]), values[origin : origin + 12].sum()
        for level in within:
            within[level] += int(bounds[f"{level} low"][0] <= total <= bounds[f"{level} high"][0])
    return {"years": len(origins), "within": {level: hits / len(origins) for level, hits in within.items()}}
