"""Train on Bach's chorales, and evaluate on the test chorales: negative log-likelihood and part-writing."""

from __future__ import annotations

import time
from pathlib import Path

from audioseq.music.harmony.evaluate import evaluate
from audioseq.music.harmony.task import train
from audioseq.recipe import publish, run_script, training_parser

HERE = Path(__file__).parent
TEST = Path("runs/data/chorales/test.jsonl")


def main() -> None:
    parser = training_parser(__doc__, "runs/chorale-lstm", "model", "resume", "publish")
    parser.add_argument("--test", type=Path, default=TEST, help="manifest to evaluate on")
    args = parser.parse_args()
    model = args.model or train(HERE / "config.toml", run_dir=args.run_dir, resume=args.resume).best
    minutes = None if args.model else round(time.process_time() / 60, 1)
    metrics = evaluate(model, args.test)
    results = {"headline": f"{metrics['nats']:.3f} nats", "test": metrics, "cpu_minutes": minutes}
    publish(HERE, results, args.publish)


if __name__ == "__main__":
    run_script(main)
