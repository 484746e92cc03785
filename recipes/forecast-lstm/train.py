"""Evaluate every model on both series by walking forward, and write the results and the plot."""

from __future__ import annotations

from pathlib import Path

from experiment import ExperimentConfig, run
from report import publish

from audioseq.config import load
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    args = training_parser(__doc__, "runs/forecast", "resume", "smoke", "set", "publish").parse_args()
    config = load(ExperimentConfig, HERE / "config.toml", args.set, args.smoke)
    results, walks = run(config, args.run_dir, args.publish or "unnamed hardware", resume=args.resume)
    for folder in [args.run_dir] + [HERE] * bool(args.publish):
        publish(results, walks, folder)


if __name__ == "__main__":
    run_script(main)
