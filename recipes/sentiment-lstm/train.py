"""Train one classifier, or do the whole experiment: networks and rivals on ten folds."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiment import Experiment, ExperimentConfig
from report import collect, publish

from audioseq.config import load
from audioseq.errors import AudioseqError

HERE = Path(__file__).parent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--run-dir", type=Path, default=Path("runs/sentiment"), help="goes on with what is there"
    )
    parser.add_argument("--smoke", action="store_true", help="a trial of seconds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--one", action="store_true", help="our network alone, tested on the first fold")
    parser.add_argument("--publish", metavar="HARDWARE", help="write into this folder too: measured on what")
    asked = parser.parse_args()
    try:
        config = load(ExperimentConfig, HERE / "config.toml", asked.set, asked.smoke)
        if asked.one:
            print(Experiment(config, asked.run_dir).one())
        else:
            rows = Experiment(config, asked.run_dir).all()
            results = collect(rows, list(config.ablation), asked.publish or "unnamed hardware")
            for folder in [asked.run_dir] + [HERE] * bool(asked.publish):
                publish(results, folder)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
