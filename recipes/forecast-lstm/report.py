"""Write the results: results.json, the section of the README, and the plots."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from experiment import BEST, LINEAR, LSTM, WalkForward
from matplotlib.figure import Figure
from scores import LEVELS, Forecast, conformal, coverage
from series import Series

from audioseq.recipe import update_readme, write_results

CLASSIC = "MA(1), GARCH(1, 1)"
MODEL_COLOURS = {
    "random walk with drift": "grey",
    CLASSIC: "tab:orange",
    LINEAR: "tab:green",
    LSTM: "tab:blue",
}


def section(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    stocks, structure = results["sp500"], results["switching"]
    errors = ", ".join(f"{error:.1f}" for error in stocks["standard_error_of_coverage"].values())
    years, shares = (stocks["year_ahead"][name] for name in ("years", "within"))
    yearly = ", ".join(
        f"{100 * share:.0f} ± {100 * math.sqrt(level * (1 - level) / years):.0f}"
        for level, share in zip(LEVELS, shares.values(), strict=True)
    )
    lines = [
        f"**{results['headline']}**",
        "",
        f"S&P 500, the {stocks['values']} months from {stocks['from'][:7]} to {stocks['to'][:7]}:",
        "",
        *_table(stocks, "% a month"),
        "",
        f"Standard errors of the shares: {errors} points.",
        "",
        *_seeds(stocks),
        f"The sum of the next twelve months, with a new forecast every twelve (LSTM, {years} years): within "
        f"its intervals of 50, 80 and 95 % in {yearly} % of the years (± a standard error).",
        "",
        f"The map with a hidden switch, {structure['values']} values:",
        "",
        *_table(structure, ""),
        "",
        *_seeds(structure),
        f"{results['date']}, {results['hardware']}: {results['cpu_minutes']:.1f} minutes of processor time "
        "in all.",
    ]
    return "\n".join(lines) + "\n"


def _table(experiment: dict[str, Any], unit: str) -> list[str]:
    head = [
        "model", f"RMSE{f', {unit}' if unit else ''}", "CRPS", "nats", "nats before", "within 50, 80, 95 %",
        "the same, calibrated", "LSTM against it: squared error", "LSTM against it: nats",
    ]  # fmt: skip
    rows = [head, ["---"] * len(head)]
    for name, model in experiment["models"].items():
        within, calibrated = (
            ", ".join(f"{100 * model[f'within_{level:.0%}{kind}']:.1f}" for level in LEVELS)
            if f"within_{LEVELS[0]:.0%}" in model
            else ""
            for kind in ("", "_calibrated")
        )
        tests = [_test(model["lstm_against_it"][kind]) if name != LSTM else "" for kind in ("squared", "nll")]
        digits = [f"{model[key]:.4f}" for key in ("rmse", "crps", "nll", "nll_before")]
        rows.append([f"**{name}**" if name == LSTM else name, *digits, within, calibrated, *tests])
    return [f"| {' | '.join(row)} |" for row in rows]


def _test(result: dict[str, float]) -> str:
    p = "<0.0001" if result["p"] < 1e-4 else f"{result['p']:.4f}"
    return f"{result['statistic']:+.2f} ({p})"


def _seeds(experiment: dict[str, Any]) -> list[str]:
    networks = [
        f"{name} {', '.join(f'{nats:.4f}' for nats in experiment['models'][name]['nll_of_seeds'])}"
        for name in (LSTM, LINEAR)
    ]
    return [f"Nats of the single seeds: {'; '.join(networks)}.", ""]


def publish(results: dict[str, Any], walks: dict[str, WalkForward], folder: Path) -> None:
    """Write results.json and forecast.png into a folder, and the section of its README if it has one."""
    write_results(folder, results)
    draw(walks).savefig(folder / "forecast.png", dpi=110)
    update_readme(folder, section(results))


def draw(walks: dict[str, WalkForward]) -> Figure:
    """Plot intervals over time, cumulative likelihood gain, coverage of the intervals, and the learnt map."""
    figure = Figure(figsize=(12, 8), layout="constrained")
    intervals, gain, calibration, learnt = figure.subplots(2, 2).flat
    stocks, structure = walks["sp500"], walks["switching"]
    tested, observed = stocks.tested, stocks.observed
    years = np.array([np.datetime64(day) for day in stocks.dates[stocks.start :]])

    forecast = next(each for each in stocks.forecasts[LSTM] if isinstance(each, Forecast))
    low, high = conformal(forecast, observed, 0.8, tested.start)
    intervals.fill_between(
        years[tested], low, high, color="tab:blue", alpha=0.3, label="80 % interval, calibrated"
    )
    intervals.plot(years[tested], observed[tested], ".", color="black", markersize=2, label="observed")
    intervals.set(title="S&P 500: forecasts of the LSTM, one month ahead", ylabel="log return, %")

    reference = stocks.losses("random walk with drift", "nll")
    for name, colour in MODEL_COLOURS.items():
        gain.plot(years, (reference - stocks.losses(name, "nll")).cumsum(), color=colour, label=name)
    gain.axvline(years[tested.start], color="grey", linestyle=":")
    gain.set(
        title="Log-likelihood gain over the random walk (dotted: start of the test period)",
        ylabel="nats, cumulative",
    )

    levels = np.linspace(0.05, 0.95, 19)
    spread = 196 * np.sqrt(levels * (1 - levels) / len(observed[tested]))
    calibration.fill_between(100 * levels, -spread, spread, color="grey", alpha=0.2, label="95 % confidence")
    for name, colour in MODEL_COLOURS.items():
        each = stocks.forecasts[name][0]
        assert isinstance(each, Forecast)
        raw = [coverage(each[tested].interval(level), observed[tested]) - level for level in levels]
        calibration.plot(100 * levels, 100 * np.array(raw), color=colour, label=name)
    calibrated = [
        coverage(conformal(forecast, observed, level, tested.start), observed[tested]) - level
        for level in levels
    ]
    calibration.plot(
        100 * levels, 100 * np.array(calibrated), "--", color="tab:blue", label="LSTM, calibrated"
    )
    calibration.set(
        title="S&P 500: coverage of the intervals",
        xlabel="nominal level, %",
        ylabel="coverage minus level, %",
    )

    last, next_ = structure.values[structure.test - 1 : -1], structure.values[structure.test :]
    learnt.plot(last, next_, ".", color="lightgrey", markersize=2, label="observed")
    for name, colour in {BEST: "tab:red", "ARMA(1, 1)": "tab:orange", LSTM: "tab:blue"}.items():
        location = structure.forecasts[name][0].location[structure.tested]
        learnt.plot(last, location, ".", color=colour, markersize=1, label=name)
    learnt.set(title="The map with a hidden switch", xlabel="last value", ylabel="next value")
    for axes in (intervals, gain, calibration, learnt):
        axes.legend(fontsize="small")
    return figure


def draw_forecast(
    series: Series, dates: list[str], quantiles: dict[str, np.ndarray], history: int = 10
) -> Figure:
    """Plot the end of a series and its forecast.

    Args:
        series: the series.
        dates: dates of the forecast.
        quantiles: median and bounds of the levels at these dates.
        history: steps of the series to show, for each step of the forecast.
    """
    count = min(len(series.levels), history * len(dates))
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(-count + 1, 1), series.levels[-count:], color="black")
    steps = np.arange(len(dates) + 1)
    for level, colour in zip(reversed(LEVELS), ("#dbe9f6", "#a9cbe6", "#6aa5d3"), strict=True):
        low, high = (np.r_[series.levels[-1], quantiles[f"{level:.0%} {side}"]] for side in ("low", "high"))
        axes.fill_between(steps, low, high, color=colour, linewidth=0, label=f"{level:.0%} interval")
    axes.plot(steps, np.r_[series.levels[-1], quantiles["median"]], color="tab:blue", label="median")
    labels = [*series.dates[-count:], *dates]
    ticks = np.linspace(-count + 1, len(dates), 8).round().astype(int)
    axes.set_xticks(ticks, [labels[tick + count - 1][: len(dates[0])] for tick in ticks])
    axes.set_title(f"Forecast after {labels[count - 1]}")
    axes.legend(loc="upper left")
    return figure
