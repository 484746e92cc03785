"""Adapt a composer to a few pieces, and evaluate it on other pieces of the same composer."""

from __future__ import annotations

import json
import time
from pathlib import Path

from audioseq.music.evaluate import evaluate
from audioseq.music.task import train
from audioseq.recipe import publish, run_script, training_parser

HERE, DATA = Path(__file__).parent, Path("runs/data/adapt-music")


def main() -> None:
    parser = training_parser(__doc__, "runs/adapt-music", "publish")
    parser.add_argument("--model", default="music-small", help="name or path of the model to adapt")
    parser.add_argument("--pieces", type=int, nargs="+", default=[5, 15, 28])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 8])
    args = parser.parse_args()
    rows = []
    before = evaluate(args.model, DATA / "test.jsonl").metrics["nats_per_note"]
    for pieces in args.pieces:
        start = time.process_time()
        for epochs in args.epochs:  # each continues the run of the one before
            sets = [f"data.{part}=['{DATA}/{pieces:02}-{part}.jsonl']" for part in ("train", "valid")]
            run = {"run_dir": args.run_dir / f"{pieces:02}", "resume": epochs > args.epochs[0]}
            sets.append(f"training.epochs={epochs}")
            best = train(HERE / "config.toml", start_from=args.model, overrides=sets, **run).best
            row = {"pieces": pieces, "epochs": epochs, "cpu_seconds": round(time.process_time() - start)}
            rows.append(row | {"test": evaluate(best, DATA / "test.jsonl").metrics["nats_per_note"]})
            print(json.dumps(rows[-1]), flush=True)
    headline = f"{before:.2f} before, {rows[-1]['test']:.2f} after"
    publish(HERE, {"headline": headline, "before": before, "rows": rows}, args.publish)


if __name__ == "__main__":
    run_script(main)
