"""Many steps ahead: series that a network draws, step by step, with the errors that it made before."""

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


def past_errors(forecast: Forecast, observed: np.ndarray) -> np.ndarray:
    """Return errors in scales of their forecasts."""
    found: np.ndarray = (observed - forecast.location) / forecast.scale
    return found


@torch.no_grad()
def sample(learned: Learned, values: np.ndarray, steps: int, errors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draw how a series may go on.

    Each step is the location forecast, and the scale times one of the errors of the past: so intervals are as
    wide as these were, whatever distribution was learnt. Source: Barone-Adesi et al. 1999, filtered
    historical simulation.

    Args:
        values: all that is known `[N]`.
        errors: of past forecasts, in scales; of values that were not learnt from.
    Returns:
        `[PATHS, steps]`.
    """
    random = np.random.default_rng(seed)
    said, memory = learned.model(learned.normalise(values)[None])
    memory = memory.repeat(PATHS)
    drawn = np.empty((PATHS, steps))
    for step in range(steps):
        noise = torch.from_numpy(random.choice(errors, (PATHS, 1))).float()
        x = said.location[:, -1:] + said.scale[:, -1:] * noise
        drawn[:, step] = learned.mean + learned.deviation * x[:, 0].double().numpy()
        said, memory = learned.model(x, memory)
    return drawn


def bands(drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is in the middle of all that was drawn, and the bounds of each level, at each step."""
    found = {"median": np.median(drawn, axis=0)}
    for level in LEVELS:
        for side, share in (("low", (1 - level) / 2), ("high", (1 + level) / 2)):
            found[f"{level:.0%} {side}"] = np.quantile(drawn, share, axis=0)
    return found


def forecast_next(
    series: Series, config: LearnerConfig, steps: int
) -> tuple[list[str], dict[str, np.ndarray]]:
    """Learn a series, and return the dates that follow and the bands of its levels there.

    The errors that are drawn from are those on its end, which was held out.
    """
    values = series.values
    with TemporaryDirectory() as folder:
        learned = learn(config, values, Path(folder))
    held_out = round(config.held_out * len(values))
    errors = past_errors(learned(values[:-1])[-held_out:], values[-held_out:])
    return series.next_dates(steps), bands(series.ahead(sample(learned, values, steps, errors)))


def year_ahead(
    folder: Path, values: np.ndarray, forecast: Forecast, start: int, test: int, every: int
) -> dict[str, Any]:
    """Return how often the sum of the next twelve values was within its bounds, every twelve values anew.

    Args:
        folder: of the networks, one in a folder named by how many values it knew.
        forecast: of `values[start:]`, one step ahead; the errors of what is past are drawn from.
    """
    within = {f"{level:.0%}": 0 for level in LEVELS}
    origins = range(test, len(values) - 11, 12)
    for origin in origins:
        known = start + (origin - start) // every * every
        errors = past_errors(forecast[: origin - start], values[start:origin])
        learned = Learned(folder / str(known) / "best.safetensors")
        drawn = sample(learned, values[:origin], 12, errors, seed=origin).sum(1)
        found, total = bands(drawn[:, None]), values[origin : origin + 12].sum()
        for level in within:
            within[level] += int(found[f"{level} low"][0] <= total <= found[f"{level} high"][0])
    return {"years": len(origins), "within": {level: hits / len(origins) for level, hits in within.items()}}
