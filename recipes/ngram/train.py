"""Train n-gram models of several orders and sizes, and evaluate each on the held-out sentences."""

from __future__ import annotations

from pathlib import Path

from table import TableConfig, fill

from audioseq.config import load
from audioseq.recipe import publish, run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    args = training_parser(__doc__, "runs/ngram", "smoke", "set", "publish").parse_args()
    config = load(TableConfig, HERE / "config.toml", args.set, args.smoke)
    rows = fill(config, args.run_dir)
    if args.publish:
        publish(HERE, {"headline": f"{rows[config.best]['perplexity']}", "models": rows}, args.publish)


if __name__ == "__main__":
    run_script(main)
