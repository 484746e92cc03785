"""Train on four kinds of music, and print the negative log-likelihood of the test pieces in nats per note."""

from __future__ import annotations

import time
from pathlib import Path

from audioseq.music.evaluate import evaluate
from audioseq.music.task import train
from audioseq.recipe import run_script, training_parser

HERE = Path(__file__).parent


def main() -> None:
    args = training_parser(__doc__, "runs/music", "resume").parse_args()
    best = train(HERE / "config.toml", run_dir=args.run_dir, resume=args.resume).best
    print(f"{best}: {time.process_time() / 60:.1f} minutes of processor time")
    print(evaluate(best, "runs/data/music/test.jsonl").summary())


if __name__ == "__main__":
    run_script(main)
