"""The experiment: walk-forward evaluation of the LSTM and classic models on both series."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from baselines import ArmaGarch, AutoRegression
from multi_step import year_ahead
from pydantic import Field
from scores import LEVELS, Forecast, conformal, coverage, diebold_mariano
from series import Kind, read
from switching import Mixture, best_forecast
from task import LearnerConfig, learn
from walk import Fit, Predict, walk_forward

from audioseq.config import Config
from audioseq.errors import DataError

MIN_HISTORY = 100
"""Minimum number of values before the first forecast."""
LSTM, LINEAR, BEST = "LSTM", "the same without its LSTM", "the process itself"
"""Names of the network, of the network without recurrent layer, and of the optimal forecast."""

CLASSIC_MODELS: dict[str, Fit] = {
    "random walk with drift": ArmaGarch(),
    "exponential smoothing": ArmaGarch(smoothing=True),
    "AR(1)": ArmaGarch(ar=True),
    "MA(1)": ArmaGarch(ma=True),
    "ARMA(1, 1)": ArmaGarch(ar=True, ma=True),
    "AR(p), p by AIC": AutoRegression(),
    "drift, GARCH(1, 1)": ArmaGarch(garch=True),
    "AR(1), GARCH(1, 1)": ArmaGarch(ar=True, garch=True),
    "MA(1), GARCH(1, 1)": ArmaGarch(ma=True, garch=True),
    "MA(1), GJR-GARCH(1, 1)": ArmaGarch(ma=True, garch=True, leverage=True),
}


class Experiment(Config):
    """A series and its walk-forward evaluation."""

    kind: Kind
    start: str
    """Date of the first forecast; the models are fitted to the values before it."""
    test: str
    """Date of the first forecast of the test period; settings are chosen on the forecasts before it."""
    every: Annotated[int, Field(ge=1)]
    """Number of values after which all models are fitted again."""
    learner: LearnerConfig


class ExperimentConfig(Config):
    """The recipe."""

    data: Path
    seeds: tuple[int, ...]
    sp500: Experiment
    switching: Experiment


@dataclass(frozen=True)
class WalkForward:
    """The forecasts of all models in one experiment.

    Args:
        dates, values: the whole series.
        start: index of the first forecast value.
        test: index of the first value of the test period.
        forecasts: forecasts of `values[start:]` by each model, one a seed.
    """

    dates: list[str]
    values: np.ndarray
    start: int
    test: int
    forecasts: dict[str, list[Forecast | Mixture]]

    @property
    def observed(self) -> np.ndarray:
        """The values to forecast, `values[start:]`."""
        return self.values[self.start :]

    @property
    def tested(self) -> slice:
        """The test period, as a slice of the forecasts."""
        return slice(self.test - self.start, None)

    def losses(self, name: str, kind: str) -> np.ndarray:
        """Return a model's loss at each forecast value, the mean over its seeds."""
        mean: np.ndarray = np.mean(
            [LOSSES[kind](each, self.observed) for each in self.forecasts[name]], axis=0
        )
        return mean


LOSSES: dict[str, Callable[[Forecast | Mixture, np.ndarray], np.ndarray]] = {
    "squared": lambda forecast, observed: np.square(observed - forecast.location),
    "crps": lambda forecast, observed: forecast.crps(observed),
    "nll": lambda forecast, observed: forecast.nll(observed),
}


def evaluate(
    name: str, experiment: Experiment, config: ExperimentConfig, run_dir: Path, *, resume: bool = False
) -> WalkForward:
    """Evaluate all models on a series by walk-forward forecasts."""
    series = read(config.data / f"{name}.csv", experiment.kind)
    values, start, test = series.values, series.index(experiment.start), series.index(experiment.test)
    if not MIN_HISTORY <= start < test < len(values):
        raise DataError(
            f"{config.data / name}.csv: {experiment.start} and {experiment.test} must be dates in it, in "
            f"this order, with {MIN_HISTORY} values before; check {name}.start and {name}.test"
        )

    def fit_network(recurrent: bool, seed: int) -> Fit:
        def fit(past: np.ndarray) -> Predict:
            folder = run_dir / name / f"{'lstm' if recurrent else 'linear'}-{seed}" / str(len(past))
            return learn(experiment.learner.variant(recurrent, seed), past, folder, resume=resume)

        return fit

    models: dict[str, list[Fit]] = {
        **{label: [fit] for label, fit in CLASSIC_MODELS.items()},
        LINEAR: [fit_network(False, seed) for seed in config.seeds],
        LSTM: [fit_network(True, seed) for seed in config.seeds],
    }
    forecasts: dict[str, list[Forecast | Mixture]] = {
        label: [walk_forward(fit, values, start, experiment.every) for fit in fits]
        for label, fits in models.items()
    }
    if name == "switching":
        forecasts[BEST] = [best_forecast(values[:-1])[start - 1 :]]
    return WalkForward(series.dates[-len(values) :], values, start, test, forecasts)


def compute_metrics(walk: WalkForward) -> dict[str, Any]:
    """Return the metrics of all models in the test period."""
    count = len(walk.values) - walk.test
    return {
        "from": walk.dates[walk.test],
        "to": walk.dates[-1],
        "values": count,
        "standard_error_of_coverage": {
            f"{level:.0%}": 100 * math.sqrt(level * (1 - level) / count) for level in LEVELS
        },
        "models": {name: _model_metrics(walk, name) for name in walk.forecasts},
    }


def _model_metrics(walk: WalkForward, name: str) -> dict[str, Any]:
    """Return a model's losses, the coverage of its intervals, and the test against the LSTM."""
    tested, observed, forecasts = walk.tested, walk.observed, walk.forecasts[name]
    losses = {kind: walk.losses(name, kind) for kind in LOSSES}
    metrics: dict[str, Any] = {
        "rmse": math.sqrt(losses["squared"][tested].mean()),
        "crps": losses["crps"][tested].mean(),
        "nll": losses["nll"][tested].mean(),
        "nll_before": losses["nll"][: tested.start].mean(),
    }
    metrics["nll_of_seeds"] = [each.nll(observed)[tested].mean() for each in forecasts]
    intervals = [each for each in forecasts if isinstance(each, Forecast)]
    for level in LEVELS if intervals else ():
        plain = [coverage(each[tested].interval(level), observed[tested]) for each in intervals]
        calibrated = [
            coverage(conformal(each, observed, level, tested.start), observed[tested]) for each in intervals
        ]
        metrics[f"within_{level:.0%}"] = np.mean(plain)
        metrics[f"within_{level:.0%}_calibrated"] = np.mean(calibrated)
    if name != LSTM:
        metrics["lstm_against_it"] = {
            kind: dict(
                zip(
                    ("statistic", "p"),
                    diebold_mariano(walk.losses(LSTM, kind)[tested], losses[kind][tested]),
                    strict=True,
                )
            )
            for kind in LOSSES
        }
    return metrics


def run(
    config: ExperimentConfig, run_dir: Path, hardware: str, *, resume: bool = False
) -> tuple[dict[str, Any], dict[str, WalkForward]]:
    """Run both experiments; return the results, and the forecasts to plot."""
    started = time.process_time()
    walks = {
        name: evaluate(name, getattr(config, name), config, run_dir, resume=resume)
        for name in ("sp500", "switching")
    }
    metrics = {name: compute_metrics(walk) for name, walk in walks.items()}
    stocks = walks["sp500"]
    forecast = stocks.forecasts[LSTM][0]
    assert isinstance(forecast, Forecast)
    metrics["sp500"]["year_ahead"] = year_ahead(
        run_dir / "sp500" / f"lstm-{config.seeds[0]}", stocks.values, forecast, stocks.start, stocks.test,
        config.sp500.every,
    )  # fmt: skip
    minutes = round((time.process_time() - started) / 60, 1)
    origin = {"date": date.today().isoformat(), "hardware": hardware, "cpu_minutes": minutes}
    return {"headline": headline(metrics), **origin, **rounded(metrics)}, walks


def headline(metrics: dict[str, Any]) -> str:
    """Return the main metrics as one line."""
    stocks, structure = metrics["sp500"]["models"], metrics["switching"]["models"]
    gain = stocks["MA(1), GARCH(1, 1)"]["nll"] - stocks[LSTM]["nll"]
    word = "better" if gain > 0 else "worse"
    return (
        f"S&P 500: {stocks[LSTM]['nll']:.3f} nats a month, {abs(gain):.3f} {word} than MA(1) with GARCH; "
        f"a series with structure: an error of {structure[LSTM]['rmse']:.3f}, "
        f"ARMA's {structure['ARMA(1, 1)']['rmse']:.3f}, the least possible {structure[BEST]['rmse']:.3f}"
    )


def rounded(value: Any) -> Any:
    """Round all numbers of a nested value to five significant digits."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, (float, np.floating)) else value
