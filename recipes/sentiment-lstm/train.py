"""Train one classifier, or run the whole experiment: networks and baselines on ten folds."""

from __future__ import annotations

from pathlib import Path

from experiment import Experiment, ExperimentConfig
from report import collect, publish

from audioseq.config import load
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    parser = training_parser(__doc__, "runs/sentiment", "smoke", "set", "publish")
    parser.add_argument("--one", action="store_true", help="train only our network, and test the first fold")
    args = parser.parse_args()
    config = load(ExperimentConfig, HERE / "config.toml", args.set, args.smoke)
    experiment = Experiment(config, args.run_dir)  # resumes the experiment in the folder
    if args.one:
        print(experiment.run_one())
        return
    results = collect(experiment.run_all(), list(config.ablation), args.publish or "unnamed hardware")
    for folder in [args.run_dir] + [HERE] * bool(args.publish):
        publish(results, folder)


if __name__ == "__main__":
    run_script(main)
