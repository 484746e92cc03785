"""Train on your own series, and print forecasts of its next values with intervals, tab-separated."""

import argparse
from pathlib import Path

import series
from experiment import ExperimentConfig
from multi_step import forecast_next
from report import draw_forecast

from audioseq.config import load
from audioseq.files import writing
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="a header line; dates come first")
    parser.add_argument("--column", help="column of the values; the second one if not given")
    parser.add_argument("--values", action="store_true", help="forecast the values instead of log returns")
    parser.add_argument("-n", "--steps", type=int, default=12, help="number of values to forecast")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="plot the forecast")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error(f"--steps is {args.steps}, but must be at least 1")
    config = load(ExperimentConfig, Path(__file__).with_name("config.toml"), args.set)
    experiment = config.switching if args.values else config.sp500
    observed = series.read(args.file, experiment.kind, args.column)
    dates, forecasts = forecast_next(observed, experiment.learner, args.steps)
    if args.plot:
        with writing(args.plot):
            draw_forecast(observed, dates, forecasts).savefig(args.plot, dpi=110)
    print("date", *forecasts, sep="\t")
    for date, *values in zip(dates, *forecasts.values(), strict=True):
        print(date, *(f"{value:.6g}" for value in values), sep="\t")


if __name__ == "__main__":
    run_script(main)
