"""Learn a series of your own, and forecast what comes next, with intervals: tab-separated, on stdout."""

from __future__ import annotations

import argparse
from pathlib import Path

import series
from multi_step import forecast_next
from experiment import ExperimentConfig
from report import draw_ahead

from audioseq.config import load
from audioseq.errors import AudioseqError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE.csv", help="first a line of names; dates come first")
    parser.add_argument("--column", help="of the values; the second one where it is not named")
    parser.add_argument("--values", action="store_true", help="forecast values as they are, not log returns")
    parser.add_argument("-n", "--steps", type=int, default=12)
    parser.add_argument("--plot", type=Path, metavar="PNG")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change config.toml")
    asked = parser.parse_args()
    if asked.steps < 1:
        parser.error(f"--steps {asked.steps}: forecast at least 1")
    try:
        config = load(ExperimentConfig, Path(__file__).parent / "config.toml", asked.set)
        experiment = config.switching if asked.values else config.sp500
        known = series.read(asked.file, experiment.kind, asked.column)
        dates, found = forecast_next(known, experiment.learner, asked.steps)
        if asked.plot:
            draw_ahead(known, dates, found).savefig(asked.plot, dpi=110)
    except (AudioseqError, OSError) as error:
        parser.exit(1, f"error: {error}\n")
    print("date", *found, sep="\t")
    for label, *values in zip(dates, *found.values(), strict=True):
        print(label, *(f"{value:.6g}" for value in values), sep="\t")
