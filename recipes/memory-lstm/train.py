"""Train every network on every problem, measure gradients and clipping, and write what came out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from experiment import ExperimentConfig, run
from report import publish

from audioseq.config import load
from audioseq.errors import AudioseqError

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/memory"))
    parser.add_argument("--smoke", action="store_true", help="a trial of seconds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--publish", metavar="HARDWARE", help="write into the recipe's folder too: measured on what"
    )
    asked = parser.parse_args()
    config = load(ExperimentConfig, HERE / "config.toml", asked.set, asked.smoke)
    results, series = run(config, asked.run_dir, asked.publish or "unnamed hardware")
    for folder in [asked.run_dir] + [HERE] * bool(asked.publish):
        publish(results, series, folder)


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
