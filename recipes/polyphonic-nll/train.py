"""Train the networks on the sets (default: all), and print their rows beside the published ones."""

from __future__ import annotations

from pathlib import Path

from experiment import Experiment, ExperimentConfig
from report import collect, publish, section

from audioseq.config import load
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent
SETS = ("jsb", "nottingham", "muse", "piano", "voices")


def main() -> None:
    parser = training_parser(__doc__, "runs/polyphonic", "resume", "smoke", "set", "publish")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}")
    args = parser.parse_args()
    if unknown := set(args.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; the sets are {', '.join(SETS)}")
    config = load(ExperimentConfig, HERE / "config.toml", args.set, args.smoke)
    experiment = Experiment(config, args.run_dir, resume=args.resume)
    for line in experiment.run(args.sets):
        print(line, flush=True)
    results = collect(experiment.results(), len(config.seeds), args.publish or "unnamed hardware")
    for folder in [args.run_dir] + [HERE] * bool(args.publish):
        publish(results, folder)
    print(section(results))


if __name__ == "__main__":
    run_script(main)
