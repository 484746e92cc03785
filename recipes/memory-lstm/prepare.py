"""Write the held-out sequences of each problem and length; training draws new ones."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from experiment import ExperimentConfig
from memory import PROBLEMS

from audioseq.config import load
from audioseq.recipe import run_script
from audioseq.seeding import keyed_generator

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="apply the [smoke] table of the config: a run of seconds"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config")
    args = parser.parse_args()
    config = load(ExperimentConfig, HERE / "config.toml", args.set, args.smoke)
    config.data.mkdir(parents=True, exist_ok=True)
    for experiment in config.experiments:
        path = config.data / f"{experiment.problem}-{experiment.length}.npz"
        generator = keyed_generator(0, 0, path.name)  # the key differs from all training keys
        drawn = PROBLEMS[experiment.problem].draw(generator, config.held_out, experiment.length)
        np.savez(path, x=drawn.x.numpy(), y=drawn.y.numpy())
        print(f"{path}: {config.held_out} sequences")


if __name__ == "__main__":
    run_script(main)
