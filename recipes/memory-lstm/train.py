"""Train every network on every problem, measure gradients and clipping, and write the results."""

from __future__ import annotations

from pathlib import Path

from experiment import ExperimentConfig, run
from report import publish

from audioseq.config import load
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    args = training_parser(__doc__, "runs/memory", "smoke", "set", "publish").parse_args()
    config = load(ExperimentConfig, HERE / "config.toml", args.set, args.smoke)
    results, series = run(config, args.run_dir, args.publish or "unnamed hardware")
    for folder in [args.run_dir] + [HERE] * bool(args.publish):
        publish(results, series, folder)


if __name__ == "__main__":
    run_script(main)
