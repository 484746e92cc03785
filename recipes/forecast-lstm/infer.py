"""Learn a series of your own, and forecast what comes next, with intervals: tab-separated, on stdout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import series
from ahead import forecast_next
from lesson import LessonConfig
from report import draw_ahead

from audioseq.config import load
from audioseq.errors import AudioseqError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "file", type=Path, metavar="FILE.csv", help="a line of names; dates in the first column"
    )
    parser.add_argument("--column", help="of the values; the second one where it is not named")
    parser.add_argument("--values", action="store_true", help="forecast values as they are, not log returns")
    parser.add_argument("-n", "--steps", type=int, default=12)
    parser.add_argument("--plot", type=Path, metavar="PNG")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change config.toml")
    asked = parser.parse_args()
    config = load(LessonConfig, Path(__file__).parent / "config.toml", asked.set)
    experiment = config.switching if asked.values else config.sp500
    known = series.read(asked.file, experiment.kind, asked.column)
    dates, found = forecast_next(known, experiment.learner, asked.steps)
    print("date", *found, sep="\t")
    for row in zip(dates, *found.values(), strict=True):
        print(row[0], *(f"{value:.6g}" for value in row[1:]), sep="\t")
    if asked.plot:
        draw_ahead(known, dates, found).savefig(asked.plot, dpi=110)


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
