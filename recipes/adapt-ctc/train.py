"""Adapt a model to minutes of one speaker, and evaluate it on this speaker and on others."""

from __future__ import annotations

import json
import time
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.recipe import publish, run_script, training_parser
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE, DATA = Path(__file__).parent, Path("runs/data/adapt")


def main() -> None:
    parser = training_parser(__doc__, "runs/adapt-ctc", "publish")
    parser.add_argument("--model", default="english-small", help="name or path of the model to adapt")
    parser.add_argument("--minutes", type=int, nargs="+", default=[5, 10, 30, 60])
    parser.add_argument("--others", type=Path, default=Path("runs/data/english/dev.jsonl"))
    args = parser.parse_args()
    rows, model, test = [], args.model, read_manifest(DATA / "test.jsonl")
    for minutes in [0, *args.minutes]:
        start = time.process_time()
        if minutes:
            data = [f"data.{part}=['{DATA}/{minutes:02}-{part}.jsonl']" for part in ("train", "valid")]
            run = args.run_dir / f"{minutes:02}"
            model = train(HERE / "config.toml", run_dir=run, overrides=data, start_from=args.model).best
        row = {"minutes": minutes, "cpu_minutes": round((time.process_time() - start) / 60, 1)}
        recogniser = audioseq.load(model)
        row |= {"test": evaluate(recogniser, test, "greedy").wer, "rescored": evaluate(recogniser, test).wer}
        rows.append(row | {"others": evaluate(recogniser, read_manifest(args.others), "greedy").wer})
        print(json.dumps(rows[-1]), flush=True)
    headline = " before, ".join(f"{100 * row['test']:.2f} %" for row in (rows[0], rows[-1])) + " after"
    publish(HERE, {"headline": headline, "rows": rows}, args.publish)


if __name__ == "__main__":
    run_script(main)
