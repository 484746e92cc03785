"""The lesson: what an LSTM is worth in forecasting, beside the textbook, along both series."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from baselines import AutoRegression, Textbook
from multi_step import year_ahead
from pydantic import Field
from scores import LEVELS, Forecast, conformal, coverage, diebold_mariano
from series import Kind, read
from switching import Mixture, best_forecast
from task import LearnerConfig, learn
from walk import Fit, Predict, walk_forward

from audioseq.config import Config
from audioseq.errors import DataError

LEAST = 100
"""Values before the first forecast, at least."""
LSTM, LINEAR, BEST = "LSTM", "the same without its LSTM", "the process itself"

TEXTBOOK: dict[str, Fit] = {
    "random walk with drift": Textbook(),
    "exponential smoothing": Textbook(smoothing=True),
    "AR(1)": Textbook(ar=True),
    "MA(1)": Textbook(ma=True),
    "ARMA(1, 1)": Textbook(ar=True, ma=True),
    "AR(p), p by AIC": AutoRegression(),
    "drift, GARCH(1, 1)": Textbook(garch=True),
    "AR(1), GARCH(1, 1)": Textbook(ar=True, garch=True),
    "MA(1), GARCH(1, 1)": Textbook(ma=True, garch=True),
    "MA(1), GJR-GARCH(1, 1)": Textbook(ma=True, garch=True, leverage=True),
}


class Experiment(Config):
    """A series, and how to walk through it."""

    kind: Kind
    start: str
    """Date of the first forecast; it is learnt from what came before."""
    test: str
    """Date of the first forecast that counts; settings were chosen on those before."""
    every: Annotated[int, Field(ge=1)]
    """Values after which all models are fitted anew."""
    learner: LearnerConfig


class ExperimentConfig(Config):
    """The recipe."""

    data: Path
    seeds: tuple[int, ...]
    sp500: Experiment
    switching: Experiment


@dataclass(frozen=True)
class Walk:
    """What one experiment left.

    Args:
        dates, values: of the whole series.
        start: place of the first value that was forecast.
        test: place of the first one that counts.
        forecasts: of `values[start:]` by each model, one a seed.
    """

    dates: list[str]
    values: np.ndarray
    start: int
    test: int
    forecasts: dict[str, list[Forecast | Mixture]]

    @property
    def observed(self) -> np.ndarray:
        """The values that were forecast."""
        return self.values[self.start :]

    @property
    def tested(self) -> slice:
        """Those of them that count."""
        return slice(self.test - self.start, None)

    def losses(self, name: str, kind: str) -> np.ndarray:
        """Return a model's loss at each value that was forecast, the mean over its seeds."""
        found: np.ndarray = np.mean(
            [LOSSES[kind](each, self.observed) for each in self.forecasts[name]], axis=0
        )
        return found


LOSSES: dict[str, Callable[[Forecast | Mixture, np.ndarray], np.ndarray]] = {
    "squared": lambda forecast, observed: np.square(observed - forecast.location),
    "crps": lambda forecast, observed: forecast.crps(observed),
    "nll": lambda forecast, observed: forecast.nll(observed),
}


def walk(
    name: str, experiment: Experiment, config: ExperimentConfig, run_dir: Path, *, resume: bool = False
) -> Walk:
    """Let each model walk forward through a series."""
    series = read(config.data / f"{name}.csv", experiment.kind)
    values, start, test = series.values, series.index(experiment.start), series.index(experiment.test)
    if not LEAST <= start < test < len(values):
        raise DataError(
            f"{config.data / name}.csv: {experiment.start} and {experiment.test} must be dates in it, in "
            f"this order, with {LEAST} values before; check {name}.start and {name}.test"
        )

    def network(recurrent: bool, seed: int) -> Fit:
        def fit(past: np.ndarray) -> Predict:
            folder = run_dir / name / f"{'lstm' if recurrent else 'linear'}-{seed}" / str(len(past))
            return learn(experiment.learner.of(recurrent, seed), past, folder, resume=resume)

        return fit

    models: dict[str, list[Fit]] = {
        **{label: [fit] for label, fit in TEXTBOOK.items()},
        LINEAR: [network(False, seed) for seed in config.seeds],
        LSTM: [network(True, seed) for seed in config.seeds],
    }
    forecasts: dict[str, list[Forecast | Mixture]] = {
        label: [walk_forward(fit, values, start, experiment.every) for fit in fits]
        for label, fits in models.items()
    }
    if name == "switching":
        forecasts[BEST] = [best_forecast(values[:-1])[start - 1 :]]
    return Walk(series.dates[-len(values) :], values, start, test, forecasts)


def figures(walked: Walk) -> dict[str, Any]:
    """Return what is told of an experiment."""
    count = len(walked.values) - walked.test
    return {
        "from": walked.dates[walked.test],
        "to": walked.dates[-1],
        "values": count,
        "standard_error_of_coverage": {
            f"{level:.0%}": 100 * math.sqrt(level * (1 - level) / count) for level in LEVELS
        },
        "models": {name: _figures(walked, name) for name in walked.forecasts},
    }


def _figures(walked: Walk, name: str) -> dict[str, Any]:
    """Return a model's losses, how often its intervals held, and whether the LSTM's losses differ."""
    tested, observed, forecasts = walked.tested, walked.observed, walked.forecasts[name]
    losses = {kind: walked.losses(name, kind) for kind in LOSSES}
    told: dict[str, Any] = {
        "rmse": math.sqrt(losses["squared"][tested].mean()),
        "crps": losses["crps"][tested].mean(),
        "nll": losses["nll"][tested].mean(),
        "nll_before": losses["nll"][: tested.start].mean(),
    }
    told["nll_of_seeds"] = [each.nll(observed)[tested].mean() for each in forecasts]
    own = [each for each in forecasts if isinstance(each, Forecast)]
    for level in LEVELS if own else ():
        plain = [coverage(each[tested].interval(level), observed[tested]) for each in own]
        calibrated = [
            coverage(conformal(each, observed, level, tested.start), observed[tested]) for each in own
        ]
        told[f"within_{level:.0%}"] = np.mean(plain)
        told[f"within_{level:.0%}_calibrated"] = np.mean(calibrated)
    if name != LSTM:
        told["lstm_against_it"] = {
            kind: dict(
                zip(
                    ("statistic", "p"),
                    diebold_mariano(walked.losses(LSTM, kind)[tested], losses[kind][tested]),
                    strict=True,
                )
            )
            for kind in LOSSES
        }
    return told


def run(
    config: ExperimentConfig, run_dir: Path, hardware: str, *, resume: bool = False
) -> tuple[dict[str, Any], dict[str, Walk]]:
    """Do all of it: return the figures, and what there is to plot."""
    started = time.process_time()
    walks = {
        name: walk(name, getattr(config, name), config, run_dir, resume=resume)
        for name in ("sp500", "switching")
    }
    found = {name: figures(walked) for name, walked in walks.items()}
    stocks = walks["sp500"]
    forecast = stocks.forecasts[LSTM][0]
    assert isinstance(forecast, Forecast)
    found["sp500"]["year_ahead"] = year_ahead(
        run_dir / "sp500" / f"lstm-{config.seeds[0]}", stocks.values, forecast, stocks.start, stocks.test,
        config.sp500.every,
    )  # fmt: skip
    minutes = round((time.process_time() - started) / 60, 1)
    about = {"date": date.today().isoformat(), "hardware": hardware, "cpu_minutes": minutes}
    return {"headline": headline(found), **about, **rounded(found)}, walks


def headline(found: dict[str, Any]) -> str:
    """Return the two figures that say most."""
    stocks, structure = found["sp500"]["models"], found["switching"]["models"]
    gain = stocks["MA(1), GARCH(1, 1)"]["nll"] - stocks[LSTM]["nll"]
    word = "better" if gain > 0 else "worse"
    return (
        f"S&P 500: {stocks[LSTM]['nll']:.3f} nats a month, {abs(gain):.3f} {word} than MA(1) with GARCH; "
        f"a series with structure: an error of {structure[LSTM]['rmse']:.3f}, "
        f"ARMA's {structure['ARMA(1, 1)']['rmse']:.3f}, the least possible {structure[BEST]['rmse']:.3f}"
    )


def rounded(found: Any) -> Any:
    """Return figures with five digits, as plain numbers."""
    if isinstance(found, dict):
        return {name: rounded(each) for name, each in found.items()}
    if isinstance(found, list):
        return [rounded(each) for each in found]
    return float(f"{found:.5g}") if isinstance(found, (float, np.floating)) else found
