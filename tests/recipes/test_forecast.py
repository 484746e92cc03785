"""The recipe that forecasts: nothing looks ahead, scores and baselines are what they claim, and it runs."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import runpy
import shutil
import sys
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

RECIPE = Path(__file__).parents[2] / "recipes" / "forecast-lstm"
MODULES = tuple(path.stem for path in RECIPE.glob("*.py"))
Recipe = Callable[[str], Any]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Import the recipe's own modules as its scripts do, and forget them afterwards."""
    monkeypatch.syspath_prepend(RECIPE)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module


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
    """Return the settings of a network that learns within a tenth of a second."""
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml", smoke=True).sp500.learner
    training = config.training.model_copy(update={"epochs": 1.0})
    return config.model_copy(update={"training": training, "window": 20, "lead": 5} | changes)


@pytest.mark.parametrize("name", ["network", "AR(p)", "random walk", "smoothing", "ARMA, GJR-GARCH"])
def test_the_future_changes_no_forecast(name: str, recipe: Recipe, tmp_path: Path) -> None:
    baselines, task = recipe("baselines"), recipe("task")

    def forecasts(values: np.ndarray, folder: str) -> Any:
        fit = {
            "network": lambda past: task.learn(small(recipe), past, tmp_path / folder / str(len(past))),
            "AR(p)": baselines.AutoRegression(6),
            "random walk": baselines.Textbook(),
            "smoothing": baselines.Textbook(smoothing=True),
            "ARMA, GJR-GARCH": baselines.Textbook(ar=True, ma=True, garch=True, leverage=True),
        }[name]
        return recipe("walk").walk_forward(fit, values, 100, 50)

    values = arma(220, 0.5, 0.3)
    seen, changed = forecasts(values, "seen"), values.copy()
    changed[170:] = 9 + noise(50, 1)  # in the middle of a stretch between two fits
    other = forecasts(changed, "changed")
    assert len(seen.location) == 120
    for field in ("location", "scale", "dof"):
        same = getattr(seen, field) == getattr(other, field)
        assert same[:71].all()  # the forecast of value 170 itself is the last that knows nothing of it
    assert not (seen.location == other.location)[72:].any() or name == "random walk"
    conformal = recipe("scores").conformal
    for mine, theirs in zip(
        conformal(seen, values[100:], 0.8, 30), conformal(other, changed[100:], 0.8, 30), strict=True
    ):
        assert (mine[:41] == theirs[:41]).all() and not (mine[42:] == theirs[42:]).all()


@given(count=st.integers(2, 60), start=st.integers(1, 59), every=st.integers(1, 70))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_value_is_forecast_from_the_one_before(
    recipe: Recipe, count: int, start: int, every: int
) -> None:
    values, start, learnt = np.arange(float(count)), min(start, count - 1), []

    def fit(past: np.ndarray) -> Callable[[np.ndarray], Any]:
        learnt.append(len(past))
        return lambda seen: forecast(recipe, seen, float(len(past)), 3)

    said = recipe("walk").walk_forward(fit, values, start, every)
    assert np.array_equal(said.location, values[start:] - 1)
    assert learnt == list(range(start, count, every))
    assert np.array_equal(said.scale, start + np.arange(count - start) // every * every)


def test_a_network_that_was_learnt_is_not_learnt_again(recipe: Recipe, tmp_path: Path) -> None:
    values, learn = arma(200, 0.5, 0.0), recipe("task").learn
    first = learn(small(recipe), values, tmp_path)(values)
    state = (tmp_path / "state.pt").stat().st_mtime_ns
    assert np.array_equal(learn(small(recipe), values, tmp_path, resume=True)(values).scale, first.scale)
    assert (tmp_path / "state.pt").stat().st_mtime_ns == state
    with pytest.raises(ConfigError, match="already contains a run; continue it with --resume"):
        learn(small(recipe), values, tmp_path)


def test_a_network_goes_on_from_its_memory(recipe: Recipe) -> None:
    torch.manual_seed(0)
    model = (
        recipe("model").Forecaster(recurrent=True, hidden_size=4, half_lives=(1.0, 8.0), dropout=0.5).eval()
    )
    torch.nn.init.normal_(model.head.weight)
    x = torch.randn(3, 40)
    whole, _ = model(x)
    first, memory = model(x[:, :25])
    rest, _ = model(x[:, 25:], memory)
    for all_of_it, *parts in zip(whole, first, rest, strict=True):
        assert torch.allclose(all_of_it, torch.cat(parts, dim=1), atol=1e-6)


def test_leaky_averages_are_what_they_are_called(recipe: Recipe) -> None:
    model = recipe("model").Forecaster(recurrent=False, hidden_size=1, half_lives=(3.0,), dropout=0.0)
    x = torch.randn(1, 9)
    with torch.no_grad():
        model.linear.weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
        model.linear.bias.zero_()
        said, _ = model(x)
    trend, power = 0.0, 1.0
    for t, value in enumerate(x[0].tolist()):
        trend = 0.5 ** (1 / 3) * trend + (1 - 0.5 ** (1 / 3)) * value
        power = 0.5 ** (1 / 3) * power + (1 - 0.5 ** (1 / 3)) * value**2
        assert said.location[0, t].item() == pytest.approx(trend, abs=1e-5)
        assert said.scale[0, t].item() == pytest.approx(math.sqrt(power + 1e-4), rel=1e-5)
    value = torch.randn(1, 9)
    nats = stats.t.logpdf(value, said.dof.detach(), said.location, said.scale)
    assert np.allclose(said.nll(value).detach(), -nats, atol=1e-5)


@pytest.mark.parametrize("dof", [1.5, 4.0, math.inf])
def test_crps_is_the_integral(dof: float, recipe: Recipe) -> None:
    said = forecast(recipe, np.array([1.0]), 2.0, dof)
    distribution = stats.t(dof, 1.0, 2.0)
    for y in (-3.0, 1.0, 7.5):
        below = integrate.quad(lambda x: distribution.cdf(x) ** 2, -np.inf, y)[0]
        above = integrate.quad(lambda x: distribution.sf(x) ** 2, y, np.inf)[0]
        assert said.crps(np.array([y]))[0] == pytest.approx(below + above, rel=1e-5)


def test_intervals_are_calibrated_by_the_past(recipe: Recipe) -> None:
    """Forecasts that claim half of the true scale cover too little; the calibrated ones what they promise."""
    scores = recipe("scores")
    observed = np.random.default_rng(1).standard_t(4, 4000)
    said = forecast(recipe, np.zeros(4000), 0.5, 30)
    for level in scores.LEVELS:
        error = math.sqrt(level * (1 - level) / 3500)
        plain = scores.coverage(said[500:].interval(level), observed[500:])
        calibrated = scores.coverage(scores.conformal(said, observed, level, 500), observed[500:])
        assert plain < level - 8 * error
        assert abs(calibrated - level) < 3 * error
    low, high = scores.conformal(said, observed, 0.95, 5)
    assert np.isinf(high[0]) and np.isinf(low[0])  # five errors tell nothing of 95 %


def test_diebold_mariano_by_hand_and_by_statsmodels(recipe: Recipe) -> None:
    test = recipe("scores").diebold_mariano
    statistic, p = test(np.array([2.0, 3.0, 4.0, 7.0]), np.ones(4))  # mean 3, variances 3.5 and 0.5: 3 √¾ / 1
    assert statistic == pytest.approx(3 * math.sqrt(0.75))
    assert p == pytest.approx(2 * stats.t.sf(statistic, 3))
    api = pytest.importorskip("statsmodels.api")
    ours, theirs = arma(300, 0.5, 0.0) ** 2, noise(300, 2) ** 2
    fitted = api.OLS(ours - theirs, np.ones(300)).fit(cov_type="HAC", cov_kwds={"maxlags": 5})
    assert test(ours, theirs)[0] == pytest.approx(fitted.tvalues[0] * math.sqrt(299 / 300))
    assert test(theirs, ours)[0] == -test(ours, theirs)[0]


def test_arma_and_smoothing_are_those_of_statsmodels(recipe: Recipe) -> None:
    baselines = recipe("baselines")
    arima = pytest.importorskip("statsmodels.tsa.arima.model").ARIMA
    smoothing = importlib.import_module("statsmodels.tsa.holtwinters").SimpleExpSmoothing
    values = arma(600, 0.6, 0.3, mean=2.0)
    theirs = arima(values, order=(1, 0, 1)).fit()
    mu, phi, theta, variance = theirs.params
    said = baselines.filtered(baselines.Parameters(mu, phi, theta, variance, 0, 0, 0, 200), values)
    assert np.allclose(said.location[100:-1], theirs.fittedvalues[100:], atol=1e-6)
    ours = baselines.Textbook(ar=True, ma=True).estimate(values)
    assert np.allclose([ours.mu, ours.phi, ours.theta, ours.v], theirs.params, atol=0.02)

    said = baselines.filtered(baselines.Parameters(values[0], 1.0, 0.3 - 1, 1, 0, 0, 0, 200), values)
    level = smoothing(values, initialization_method="known", initial_level=values[0]).fit(
        smoothing_level=0.3, optimized=False
    )
    assert np.allclose(said.location[:-1], level.fittedvalues)
    assert said.location[-1] == pytest.approx(level.forecast(1)[0])


def test_autoregression_is_that_of_statsmodels(recipe: Recipe) -> None:
    select = pytest.importorskip("statsmodels.tsa.ar_model").ar_select_order
    values = arma(500, 0.4, 0.8)
    theirs = select(values, 12, ic="aic").model.fit()
    said = recipe("baselines").AutoRegression(12)(values)(values)
    order = len(theirs.ar_lags)
    assert np.isnan(said.location[: order - 1]).all()
    assert np.allclose(said.location[order - 1 : -1], theirs.fittedvalues)
    assert said.location[-1] == pytest.approx(theirs.forecast(1)[0])


def test_variance_follows_its_equation(recipe: Recipe) -> None:
    baselines = recipe("baselines")
    truth = baselines.Parameters(0.1, 0.0, 0.25, 2.0, 0.05, 0.1, 0.8, 6.0)
    v, alpha, gamma, beta = truth[3:7]
    drawn, values, h, e = np.random.default_rng(3).standard_t(6, 1500), np.empty(1500), v, 0.0
    for t in range(1500):
        if t:
            h = v * (1 - alpha - gamma / 2 - beta) + (alpha + gamma * (e < 0)) * e**2 + beta * h
        before, e = e, math.sqrt(h * 4 / 6) * drawn[t]
        values[t] = 0.1 + e + 0.25 * before
    said = baselines.filtered(truth, values)
    assert np.allclose((values - said.location[:-1]) / said.scale[:-1], drawn)
    found = baselines.Textbook(ma=True, garch=True, leverage=True).estimate(values)
    assert baselines.filtered(found, values)[:-1].nll(values).mean() <= said[:-1].nll(values).mean()
    assert found.theta == pytest.approx(0.25, abs=0.08)
    assert found.alpha + found.gamma / 2 + found.beta == pytest.approx(0.9, abs=0.08)
    walk = baselines.Textbook().estimate(noise(3000))  # drift and spread: in closed form
    assert walk.mu == pytest.approx(noise(3000).mean(), abs=0.01)
    assert walk.v == pytest.approx(noise(3000).var(), rel=0.02)


def test_the_best_forecast_is_bayes(recipe: Recipe) -> None:
    """Against all paths that the switch can have taken."""
    switching = recipe("switching")
    values = switching.draw(0, 6)
    said = switching.best_forecast(values)
    images, weight = switching.image(values), np.zeros(2)
    for path in itertools.product((0, 1), repeat=6):
        density = 1.0
        for t in range(1, 6):
            stays = switching.STAY if path[t] == path[t - 1] else 1 - switching.STAY
            density *= stays if t > 1 else 0.5  # either position is as likely before the first move is seen
            density *= stats.norm.pdf(values[t], images[t - 1, path[t]], switching.NOISE[path[t]])
        for last in (0, 1):
            weight[last] += density * (switching.STAY if last == path[5] else 1 - switching.STAY)
    assert np.allclose(said.weight[-1], weight / weight.sum())
    y, drawn = np.array([0.3]), np.random.default_rng(0)
    mixture = said[slice(5, 6)]
    which = (drawn.random((2, 200_000)) < mixture.weight[0, 1]).astype(int)
    x, other = mixture.mean[0, which] + mixture.deviation[0, which] * drawn.standard_normal(which.shape)
    crps = np.abs(x - y).mean() - np.abs(x - other).mean() / 2
    assert mixture.crps(y)[0] == pytest.approx(crps, rel=0.02)
    assert x.mean() == pytest.approx(mixture.location[0], abs=0.01)


def test_what_is_drawn_ahead_has_the_errors_of_the_past(recipe: Recipe, tmp_path: Path) -> None:
    multi_step, values = recipe("multi_step"), arma(200, 0.5, 0.0)
    learned = recipe("task").learn(small(recipe), values, tmp_path)
    errors = np.array([-1.0, 0.0, 3.0])
    drawn = multi_step.sample(learned, values, 3, errors, seed=1)
    said = learned(values)[-1:]
    assert drawn.shape == (multi_step.PATHS, 3)
    assert np.allclose(
        np.unique(drawn[:, 0].round(4)), (said.location + said.scale * errors).round(4), atol=2e-4
    )
    assert np.array_equal(drawn, multi_step.sample(learned, values, 3, errors, seed=1))
    # The second step knows the first: it is what the network says of the series with that behind.
    path = drawn[0]
    second = learned(np.r_[values, path[0]])[-1:]
    assert np.isclose((path[1] - second.location) / second.scale, errors, atol=1e-3).any()


def test_series_are_read_and_what_is_wrong_is_told(recipe: Recipe, tmp_path: Path) -> None:
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
    assert np.allclose(mine.ahead(np.array([100 * math.log(2), 0.0])), [198, 198])
    series.write(tmp_path / "copy.csv", mine.dates, mine.levels.tolist())
    assert series.read(tmp_path / "copy.csv", "values").levels.tolist() == [100, 110, 99]
    days = series.Series(["2024-02-27", "2024-02-28", "2024-02-29"], np.zeros(3), "values")
    assert days.next_dates(2) == ["2024-03-01", "2024-03-02"] and days.index("2024-02-28") == 1

    for text, told in {
        "": "has no column of values; it has none",
        "Date,x\n": "has no column price; it has Date, x",
        "Date,price\n2024-01,1\n2024-01,2\n": r"mine.csv:3: 2024-01 does not come after 2024-01-01",
        "Date,price\n1/2/2024,1\n": r"mine.csv:2: '1/2/2024' is no date; write it as",
        "Date,price\n2024-01,\n": r"mine.csv:2: the value is ''; give a number",
        "Date,price\n2024-01,0\n": r"mine.csv:2: 0 has no log return.*use --values",
    }.items():
        path.write_text(text)
        with pytest.raises(DataError, match=told):
            series.read(path, "log returns", "price" if text else None)
    with pytest.raises(DataError, match="cannot be read"):
        series.read(tmp_path / "none.csv", "values")
    task = recipe("task")
    with pytest.raises(DataError, match="has 20 values, too few to learn from windows of 20; give a longer"):
        task.ForecastTask(small(recipe), noise(20))
    with pytest.raises(DataError, match="does not change"):
        task.ForecastTask(small(recipe), np.ones(200))


def run(script: Path, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a script of the recipe in this process, with modules of its own."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")


def prices(path: Path, count: int = 1400) -> None:
    """Write months of prices, as in the real file."""
    months = [f"{1900 + month // 12}-{1 + month % 12:02d}-01" for month in range(count)]
    levels = 100 * np.exp(0.04 * noise(count, 5).cumsum())
    rows = [f"{month},{level},1.0" for month, level in zip(months, levels, strict=True)]
    path.write_text("\n".join(["Date,SP500,Dividend", *rows]) + "\n")


def test_a_small_run_learns_and_publishes(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("__pycache__", "results.json", "*.png"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*sp500\.csv: cannot be read"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)

    prices(tmp_path / "shiller.csv")
    run(copy / "prepare.py", "--from", "shiller.csv", monkeypatch=monkeypatch)
    told = capsys.readouterr()
    assert "sp500.csv: 1400 months" in told.out and "not the prices" in told.err
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


def test_the_published_figures_are_whole_and_say_what_the_readme_says(recipe: Recipe) -> None:
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert recipe("report").section(results) in (RECIPE / "README.md").read_text(encoding="utf-8")
    stocks, structure = results["sp500"], results["switching"]
    experiment = recipe("experiment")
    assert set(stocks["models"]) == {*experiment.TEXTBOOK, experiment.LINEAR, experiment.LSTM}
    assert set(structure["models"]) == {*stocks["models"], experiment.BEST}
    assert (stocks["from"], stocks["values"]) == ("1970-01-01", 678)
    assert len(stocks["models"]["LSTM"]["nll_of_seeds"]) == 3
    for name in experiment.TEXTBOOK:  # it wins clearly where there is structure
        against = structure["models"][name]["lstm_against_it"]
        assert all(against[kind]["statistic"] < -10 and against[kind]["p"] < 1e-6 for kind in against)
    best, ours = (structure["models"][name]["rmse"] for name in (experiment.BEST, "LSTM"))
    assert best < ours < 0.7 * structure["models"]["ARMA(1, 1)"]["rmse"]
    for level, share in stocks["year_ahead"]["within"].items():
        asked = float(level[:-1]) / 100
        assert abs(share - asked) < 3 * math.sqrt(asked * (1 - asked) / stocks["year_ahead"]["years"])
    for level, error in stocks["standard_error_of_coverage"].items():
        assert (
            abs(100 * stocks["models"]["LSTM"][f"within_{level}_calibrated"] - float(level[:-1])) < 3 * error
        )


def test_the_prices_are_as_the_readme_says(
    recipe: Recipe,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = data_root / "series" / "s-and-p-500.csv"
    arguments = ("--from", str(source), "--out", str(tmp_path))
    run(RECIPE / "prepare.py", *arguments, monkeypatch=monkeypatch)
    assert not capsys.readouterr().err  # these are the prices that the figures are of
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
