"""Write both series: the monthly S&P 500, and the chaotic map with a hidden switch."""

from __future__ import annotations

import argparse
import hashlib
import sys
from datetime import date, timedelta
from pathlib import Path

import series
import switching

from audioseq.download import fetch
from audioseq.recipe import run_script

URL = "https://raw.githubusercontent.com/datasets/s-and-p-500/main/data/data.csv"
LAST = "2026-06-01"
SHA256 = "4c2740d88ebb41a4300d520d92e96d21dd62155c43253d64f59d4edc677f5f1a"
"""Checksum of the written prices up to LAST. A month is added to the file at URL every month."""
SEED, COUNT, FIRST = 7, 8000, date(2000, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE.csv",
        help="a copy of Shiller's data (default: download it)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/forecast"), help="folder to write to")
    args = parser.parse_args()
    source = args.source or fetch(URL, args.out / "shiller.csv", None)
    prices = series.read(source, "log returns", "SP500")
    count = sum(label <= LAST for label in prices.dates)
    path = args.out / "sp500.csv"
    series.write(path, prices.dates[:count], prices.levels[:count].tolist())
    print(f"{path}: {count} months, {prices.dates[0]} to {prices.dates[count - 1]}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        print("warning: the prices differ from those of the results in the README", file=sys.stderr)

    path = args.out / "switching.csv"
    days = [(FIRST + timedelta(days=step)).isoformat() for step in range(COUNT)]
    series.write(path, days, switching.generate(SEED, COUNT).tolist())
    print(f"{path}: {COUNT} values")


if __name__ == "__main__":
    run_script(main)
