"""Tests of the recipe forecast-lstm: no look-ahead, scores, baselines, a smoke run, published results."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from audioseq.config import load
from audioseq.errors import ConfigError, DataError
from tests.recipes.script import importer, run

RECIPE = Path(__file__).parents[2] / "recipes" / "forecast-lstm"
Recipe = Callable[[str], Any]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    return importer(RECIPE, monkeypatch)


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count)


def arma(count: int, phi: float, theta: float, mean: float = 0.0) -> np.ndarray:
    e, values = noise(count), np.zeros(count)
    for t in range(1, count):
        values[t] = phi * values[t - 1] + e[t] + theta * e[t - 1]
    return values + mean


def forecast(recipe: Recipe, location: np.ndarray, scale: float, dof: float) -> Any:
    return recipe("scores").Forecast(
        location, np.full(len(location), scale), np.full(len(location), float(dof))
    )


def small(recipe: Recipe, **changes: Any) -> Any:
    """Return options of a network that trains in a tenth of a second."""
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml", smoke=True).sp500.learner
    training = config.training.model_copy(update={"epochs": 1.0})
    return config.model_copy(update={"training": training, "window": 20, "lead": 5} | changes)


@pytest.mark.parametrize("name", ["network", "AR(p)", "random walk", "smoothing", "ARMA, GJR-GARCH"])
def test_forecasts_do_not_depend_on_the_future(name: str, recipe: Recipe, tmp_path: Path) -> None:
    baselines, task = recipe("baselines"), recipe("task")

    def forecasts(values: np.ndarray, folder: str) -> Any:
        fit = {
            "network": lambda past: task.learn(small(recipe), past, tmp_path / folder / str(len(past))),
            "AR(p)": baselines.AutoRegression(6),
            "random walk": baselines.ArmaGarch(),
            "smoothing": baselines.ArmaGarch(smoothing=True),
            "ARMA, GJR-GARCH": baselines.ArmaGarch(ar=True, ma=True, garch=True, leverage=True),
        }[name]
        return recipe("walk").walk_forward(fit, values, 100, 50)

    values = arma(220, 0.5, 0.3)
    original, changed = forecasts(values, "original"), values.copy()
    changed[170:] = 9 + noise(50, 1)  # in the middle of a block between two fits
    other = forecasts(changed, "changed")
    assert len(original.location) == 120
    for field in ("location", "scale", "dof"):
        same = getattr(original, field) == getattr(other, field)
        assert same[:71].all()  # up to the forecast of value 170, which depends on earlier values only
    assert not (original.location == other.location)[72:].any() or name == "random walk"
    conformal = recipe("scores").conformal
    for before, after in zip(
        conformal(original, values[100:], 0.8, 30), conformal(other, changed[100:], 0.8, 30), strict=True
    ):
        assert (before[:41] == after[:41]).all() and not (before[42:] == after[42:]).all()


@given(count=st.integers(2, 60), start=st.integers(1, 59), every=st.integers(1, 70))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_walk_forward_passes_the_values_before_each_forecast(
    recipe: Recipe, count: int, start: int, every: int
) -> None:
    values, start, fitted = np.arange(float(count)), min(start, count - 1), []

    def fit(past: np.ndarray) -> Callable[[np.ndarray], Any]:
        fitted.append(len(past))
        return lambda observed: forecast(recipe, observed, float(len(past)), 3)

    forecasts = recipe("walk").walk_forward(fit, values, start, every)
    assert np.array_equal(forecasts.location, values[start:] - 1)
    assert fitted == list(range(start, count, every))
    assert np.array_equal(forecasts.scale, start + np.arange(count - start) // every * every)


def test_resume_does_not_train_a_finished_network_again(recipe: Recipe, tmp_path: Path) -> None:
    values, learn = arma(200, 0.5, 0.0), recipe("task").learn
    first = learn(small(recipe), values, tmp_path)(values)
    state = (tmp_path / "state.pt").stat().st_mtime_ns
    assert np.array_equal(learn(small(recipe), values, tmp_path, resume=True)(values).scale, first.scale)
    assert (tmp_path / "state.pt").stat().st_mtime_ns == state
    with pytest.raises(ConfigError, match="already contains a run; continue it with --resume"):
        learn(small(recipe), values, tmp_path)


def test_forecasts_continue_from_a_state(recipe: Recipe) -> None:
    torch.manual_seed(0)
    model = (
        recipe("model").Forecaster(recurrent=True, hidden_size=4, half_lives=(1.0, 8.0), dropout=0.5).eval()
    )
    torch.nn.init.normal_(model.head.weight)
    x = torch.randn(3, 40)
    whole, _ = model(x)
    first, state = model(x[:, :25])
    rest, _ = model(x[:, 25:], state)
    for expected, *parts in zip(whole, first, rest, strict=True):
        assert torch.allclose(expected, torch.cat(parts, dim=1), atol=1e-6)


def test_moving_averages_have_their_half_life(recipe: Recipe) -> None:
    model = recipe("model").Forecaster(recurrent=False, hidden_size=1, half_lives=(3.0,), dropout=0.0)
    x = torch.randn(1, 9)
    with torch.no_grad():
        model.linear.weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        model.linear.bias.zero_()
        predicted, _ = model(x)
    trend, power = 0.0, 1.0
    for t, value in enumerate(x[0].tolist()):
        trend = 0.5 ** (1 / 3) * trend + (1 - 0.5 ** (1 / 3)) * value
        power = 0.5 ** (1 / 3) * power + (1 - 0.5 ** (1 / 3)) * value**2
        assert predicted.location[0, t].item() == pytest.approx(trend, abs=1e-5)
        assert predicted.scale[0, t].item() == pytest.approx(math.sqrt(power + 1e-4), rel=1e-5)
    value = torch.randn(1, 9)
    nats = stats.t.logpdf(value, predicted.dof.detach(), predicted.location, predicted.scale)
    assert np.allclose(predicted.nll(value).detach(), -nats, atol=1e-5)


@pytest.mark.parametrize("dof", [1.5, 4.0, math.inf])
def test_crps_equals_its_integral(dof: float, recipe: Recipe) -> None:
    predicted = forecast(recipe, np.array([1.0]), 2.0, dof)
    distribution = stats.t(dof, 1.0, 2.0)
    for y in (-3.0, 1.0, 7.5):
        below = integrate.quad(lambda x: distribution.cdf(x) ** 2, -np.inf, y)[0]
        above = integrate.quad(lambda x: distribution.sf(x) ** 2, y, np.inf)[0]
        assert predicted.crps(np.array([y]))[0] == pytest.approx(below + above, rel=1e-5)


def test_conformal_intervals_correct_the_coverage(recipe: Recipe) -> None:
    """Forecasts with half of the true scale have too low a coverage; calibrated ones have the nominal one."""
    scores = recipe("scores")
    observed = np.random.default_rng(1).standard_t(4, 4000)
    predicted = forecast(recipe, np.zeros(4000), 0.5, 30)
    for level in scores.LEVELS:
        error = math.sqrt(level * (1 - level) / 3500)
        plain = scores.coverage(predicted[500:].interval(level), observed[500:])
        calibrated = scores.coverage(scores.conformal(predicted, observed, level, 500), observed[500:])
        assert plain < level - 8 * error
        assert abs(calibrated - level) < 3 * error
    low, high = scores.conformal(predicted, observed, 0.95, 5)
    assert np.isinf(high[0]) and np.isinf(low[0])  # five errors are too few for 95 %


def test_diebold_mariano_matches_manual_result_and_statsmodels(recipe: Recipe) -> None:
    test = recipe("scores").diebold_mariano
    statistic, p = test(np.array([2.0, 3.0, 4.0, 7.0]), np.ones(4))  # mean 3, variances 3.5 and 0.5: 3 √¾ / 1
    assert statistic == pytest.approx(3 * math.sqrt(0.75))
    assert p == pytest.approx(2 * stats.t.sf(statistic, 3))
    api = pytest.importorskip("statsmodels.api")
    a, b = arma(300, 0.5, 0.0) ** 2, noise(300, 2) ** 2
    fitted = api.OLS(a - b, np.ones(300)).fit(cov_type="HAC", cov_kwds={"maxlags": 5})
    assert test(a, b)[0] == pytest.approx(fitted.tvalues[0] * math.sqrt(299 / 300))
    assert test(b, a)[0] == -test(a, b)[0]


def test_arma_and_smoothing_match_statsmodels(recipe: Recipe) -> None:
    baselines = recipe("baselines")
    arima = pytest.importorskip("statsmodels.tsa.arima.model").ARIMA
    smoothing = importlib.import_module("statsmodels.tsa.holtwinters").SimpleExpSmoothing
    values = arma(600, 0.6, 0.3, mean=2.0)
    expected = arima(values, order=(1, 0, 1)).fit()
    mu, phi, theta, variance = expected.params
    predicted = baselines.filtered(baselines.Parameters(mu, phi, theta, variance, 0, 0, 0, 200), values)
    assert np.allclose(predicted.location[100:-1], expected.fittedvalues[100:], atol=1e-6)
    estimated = baselines.ArmaGarch(ar=True, ma=True).estimate(values)
    assert np.allclose(
        [estimated.mu, estimated.phi, estimated.theta, estimated.v], expected.params, atol=0.02
    )

    predicted = baselines.filtered(baselines.Parameters(values[0], 1.0, 0.3 - 1, 1, 0, 0, 0, 200), values)
    level = smoothing(values, initialization_method="known", initial_level=values[0]).fit(
        smoothing_level=0.3, optimized=False
    )
    assert np.allclose(predicted.location[:-1], level.fittedvalues)
    assert predicted.location[-1] == pytest.approx(level.forecast(1)[0])


def test_autoregression_matches_statsmodels(recipe: Recipe) -> None:
    select = pytest.importorskip("statsmodels.tsa.ar_model").ar_select_order
    values = arma(500, 0.4, 0.8)
    expected = select(values, 12, ic="aic").model.fit()
    predicted = recipe("baselines").AutoRegression(12)(values)(values)
    order = len(expected.ar_lags)
    assert np.isnan(predicted.location[: order - 1]).all()
    assert np.allclose(predicted.location[order - 1 : -1], expected.fittedvalues)
    assert predicted.location[-1] == pytest.approx(expected.forecast(1)[0])


def test_garch_variance_follows_its_equation(recipe: Recipe) -> None:
    baselines = recipe("baselines")
    truth = baselines.Parameters(0.1, 0.0, 0.25, 2.0, 0.05, 0.1, 0.8, 6.0)
    v, alpha, gamma, beta = truth[3:7]
    innovations, values, h, e = np.random.default_rng(3).standard_t(6, 1500), np.empty(1500), v, 0.0
    for t in range(1500):
        if t:
            h = v * (1 - alpha - gamma / 2 - beta) + (alpha + gamma * (e < 0)) * e**2 + beta * h
        before, e = e, math.sqrt(h * 4 / 6) * innovations[t]
        values[t] = 0.1 + e + 0.25 * before
    predicted = baselines.filtered(truth, values)
    assert np.allclose((values - predicted.location[:-1]) / predicted.scale[:-1], innovations)
    estimated = baselines.ArmaGarch(ma=True, garch=True, leverage=True).estimate(values)
    assert baselines.filtered(estimated, values)[:-1].nll(values).mean() <= predicted[:-1].nll(values).mean()
    assert estimated.theta == pytest.approx(0.25, abs=0.08)
    assert estimated.alpha + estimated.gamma / 2 + estimated.beta == pytest.approx(0.9, abs=0.08)
    walk = baselines.ArmaGarch().estimate(noise(3000))  # drift and variance have a closed form
    assert walk.mu == pytest.approx(noise(3000).mean(), abs=0.01)
    assert walk.v == pytest.approx(noise(3000).var(), rel=0.02)


def test_optimal_forecast_is_the_bayesian_posterior(recipe: Recipe) -> None:
    """Compare with the sum over all paths of the switch."""
    switching = recipe("switching")
    values = switching.generate(0, 6)
    predicted = switching.best_forecast(values)
    images, weight = switching.image(values), np.zeros(2)
    for path in itertools.product((0, 1), repeat=6):
        density = 1.0
        for t in range(1, 6):
            stays = switching.STAY_PROBABILITY if path[t] == path[t - 1] else 1 - switching.STAY_PROBABILITY
            density *= (
                stays if t > 1 else 0.5
            )  # both positions have the same probability before the first step
            density *= stats.norm.pdf(values[t], images[t - 1, path[t]], switching.NOISE[path[t]])
        for last in (0, 1):
            weight[last] += density * (
                switching.STAY_PROBABILITY if last == path[5] else 1 - switching.STAY_PROBABILITY
            )
    assert np.allclose(predicted.weight[-1], weight / weight.sum())
    y, random = np.array([0.3]), np.random.default_rng(0)
    mixture = predicted[slice(5, 6)]
    which = (random.random((2, 200_000)) < mixture.weight[0, 1]).astype(int)
    x, other = mixture.mean[0, which] + mixture.deviation[0, which] * random.standard_normal(which.shape)
    crps = np.abs(x - y).mean() - np.abs(x - other).mean() / 2
    assert mixture.crps(y)[0] == pytest.approx(crps, rel=0.02)
    assert x.mean() == pytest.approx(mixture.location[0], abs=0.01)


def test_sampled_paths_use_past_errors(recipe: Recipe, tmp_path: Path) -> None:
    multi_step, values = recipe("multi_step"), arma(200, 0.5, 0.0)
    learned = recipe("task").learn(small(recipe), values, tmp_path)
    errors = np.array([-1.0, 0.0, 3.0])
    paths = multi_step.sample(learned, values, 3, errors, seed=1)
    predicted = learned(values)[-1:]
    assert paths.shape == (multi_step.PATHS, 3)
    assert np.allclose(
        np.unique(paths[:, 0].round(4)), (predicted.location + predicted.scale * errors).round(4), atol=2e-4
    )
    assert np.array_equal(paths, multi_step.sample(learned, values, 3, errors, seed=1))
    # The second step is the forecast of the network for the series continued by the first.
    path = paths[0]
    second = learned(np.r_[values, path[0]])[-1:]
    assert np.isclose((path[1] - second.location) / second.scale, errors, atol=1e-3).any()


def test_read_series_and_report_errors(recipe: Recipe, tmp_path: Path) -> None:
    series, path = recipe("series"), tmp_path / "mine.csv"
    path.write_text("Date,other,price\n2024-11,1,100\n2024-12,1,110\n2025-01,1,99\n")
    mine = series.read(path, "log returns", "price")
    assert np.allclose(mine.values, [100 * math.log(1.1), 100 * math.log(0.9)])
    assert (mine.index("2024-01"), mine.index("2024-12"), mine.index("2025-01"), mine.index("2030")) == (
        0,
        0,
        1,
        2,
    )
    assert mine.next_dates(2) == ["2025-02", "2025-03"]
    assert np.allclose(mine.to_levels(np.array([100 * math.log(2), 0.0])), [198, 198])
    series.write(tmp_path / "copy.csv", mine.dates, mine.levels.tolist())
    assert series.read(tmp_path / "copy.csv", "values").levels.tolist() == [100, 110, 99]
    days = series.Series(["2024-02-27", "2024-02-28", "2024-02-29"], np.zeros(3), "values")
    assert days.next_dates(2) == ["2024-03-01", "2024-03-02"] and days.index("2024-02-28") == 1

    for text, message in {
        "": "has no column of values; it has none",
        "Date,x\n": "has no column price; it has Date, x",
        "Date,price\n2024-01,1\n2024-01,2\n": r"mine.csv:3: 2024-01 is not after 2024-01-01",
        "Date,price\n1/2/2024,1\n": r"mine.csv:2: '1/2/2024' is not a date; write it as",
        "Date,price\n2024-01,\n": r"mine.csv:2: the value '' is not a number; correct",
        "Date,price\n2024-01,0\n": r"mine.csv:2: 0 has no log return, it is not positive; use --values",
    }.items():
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            series.read(path, "log returns", "price" if text else None)
    with pytest.raises(DataError, match="cannot be read"):
        series.read(tmp_path / "none.csv", "values")
    task = recipe("task")
    with pytest.raises(DataError, match="has 20 values, too few for windows of 20; give a longer"):
        task.ForecastTask(small(recipe), noise(20))
    with pytest.raises(DataError, match="series is constant"):
        task.ForecastTask(small(recipe), np.ones(200))


def prices(path: Path, count: int = 1400) -> None:
    """Write monthly prices in the format of the real file."""
    months = [f"{1900 + month // 12}-{1 + month % 12:02d}-01" for month in range(count)]
    levels = 100 * np.exp(0.04 * noise(count, 5).cumsum())
    rows = [f"{month},{level},1.0" for month, level in zip(months, levels, strict=True)]
    path.write_text("\n".join(["Date,SP500,Dividend", *rows]) + "\n")


def test_smoke_run_learns_and_publishes(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("__pycache__", "results.json", "*.png"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*sp500\.csv: cannot be read"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)

    prices(tmp_path / "shiller.csv")
    run(copy / "prepare.py", "--from", "shiller.csv", monkeypatch=monkeypatch)
    output = capsys.readouterr()
    assert "sp500.csv: 1400 months" in output.out and "warning: the prices differ" in output.err
    with pytest.raises(SystemExit, match=r"^error: .*sp500\.csv: 1990-01 and 2040-01 must be dates in it"):
        run(copy / "train.py", "--smoke", "--set", "sp500.test=2040-01", monkeypatch=monkeypatch)
    run(copy / "train.py", "--smoke", "--publish", "a test", monkeypatch=monkeypatch)
    results = json.loads((copy / "results.json").read_text(encoding="utf-8"))
    assert results["hardware"] == "a test"
    assert recipe("report").section(results) in (copy / "README.md").read_text(encoding="utf-8")
    assert (copy / "forecast.png").stat().st_size > 10_000
    models = results["switching"]["models"]
    assert models["LSTM"]["rmse"] < 0.8 * models["random walk with drift"]["rmse"]
    assert models["random walk with drift"]["lstm_against_it"]["squared"]["p"] < 1e-6
    assert models["the process itself"]["nll"] < models["LSTM"]["nll"]

    capsys.readouterr()
    options = ("--set", "sp500.learner.training.epochs=1", "-n", "3", "--plot", "ahead.png")
    run(copy / "infer.py", "shiller.csv", *options, monkeypatch=monkeypatch)
    names, *rows = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert [row[0] for row in rows] == ["2016-09", "2016-10", "2016-11"]
    for row in rows:
        found = dict(zip(names[1:], map(float, row[1:]), strict=True))
        order = ["95% low", "80% low", "50% low", "median", "50% high", "80% high", "95% high"]
        assert [found[name] for name in order] == sorted(found.values())
    assert (tmp_path / "ahead.png").stat().st_size > 10_000


def test_published_results_match_readme_and_conclusions(recipe: Recipe) -> None:
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert recipe("report").section(results) in (RECIPE / "README.md").read_text(encoding="utf-8")
    stocks, structure = results["sp500"], results["switching"]
    experiment = recipe("experiment")
    assert set(stocks["models"]) == {*experiment.CLASSIC_MODELS, experiment.LINEAR, experiment.LSTM}
    assert set(structure["models"]) == {*stocks["models"], experiment.BEST}
    assert (stocks["from"], stocks["values"]) == ("1970-01-01", 678)
    assert len(stocks["models"]["LSTM"]["nll_of_seeds"]) == 3
    for name in experiment.CLASSIC_MODELS:  # the LSTM is clearly better on the map
        against = structure["models"][name]["lstm_against_it"]
        assert all(against[kind]["statistic"] < -10 and against[kind]["p"] < 1e-6 for kind in against)
    best, lstm = (structure["models"][name]["rmse"] for name in (experiment.BEST, "LSTM"))
    assert best < lstm < 0.7 * structure["models"]["ARMA(1, 1)"]["rmse"]
    for level, share in stocks["year_ahead"]["within"].items():
        nominal = float(level[:-1]) / 100
        assert abs(share - nominal) < 3 * math.sqrt(nominal * (1 - nominal) / stocks["year_ahead"]["years"])
    for level, error in stocks["standard_error_of_coverage"].items():
        assert (
            abs(100 * stocks["models"]["LSTM"][f"within_{level}_calibrated"] - float(level[:-1])) < 3 * error
        )


def test_prepared_prices_match_the_readme(
    recipe: Recipe,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = data_root / "series" / "s-and-p-500.csv"
    arguments = ("--from", str(source), "--out", str(tmp_path))
    run(RECIPE / "prepare.py", *arguments, monkeypatch=monkeypatch)
    assert not capsys.readouterr().err  # no warning: the prices are those of the published results
    stocks = recipe("series").read(tmp_path / "sp500.csv", "log returns")
    start, returns, prices = stocks.index("1970-01"), stocks.values, stocks.levels
    assert np.corrcoef(returns[1:], returns[:-1])[0, 1] == pytest.approx(0.27, abs=0.005)
    now, before = prices[start + 1 :], prices[start:-1]
    assert stocks.dates[start + 1] == "1970-01-01"
    assert 1 - np.square(now - before).sum() / np.square(now - now.mean()).sum() == pytest.approx(
        0.998, abs=5e-4
    )
    switching = recipe("series").read(tmp_path / "switching.csv", "values")
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml")
    assert [switching.index(date) for date in (config.switching.start, config.switching.test)] == [2000, 4000]
