"""Adapt a model to minutes of one speaker; count the errors in her test, and those with other speakers."""

import argparse
import json
import time
from datetime import date
from pathlib import Path

import audioseq
from audioseq.data import read_manifest
from audioseq.speech.evaluation.evaluate import evaluate
from audioseq.speech.task import train

HERE, DATA = Path(__file__).parent, Path("runs/data/adapt")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="english-small", help="the one to adapt: a name, or a file")
    parser.add_argument("--minutes", type=int, nargs="+", default=[5, 10, 30, 60])
    parser.add_argument("--others", type=Path, default=Path("runs/data/english/dev.jsonl"))
    parser.add_argument("--run-dir", type=Path, default=Path("runs/adapt-ctc"))
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    rows, model = [], asked.model
    try:
        sets = {"test": read_manifest(DATA / "test.jsonl"), "others": read_manifest(asked.others)}
        for minutes in [0, *asked.minutes]:
            began = time.process_time()
            if minutes:
                data = [f"data.{part}=['{DATA}/{minutes:02}-{part}.jsonl']" for part in ("train", "valid")]
                run = asked.run_dir / f"{minutes:02}"
                model = train(HERE / "config.toml", run_dir=run, overrides=data, start_from=asked.model).best
            row = {"minutes": minutes, "cpu_minutes": round((time.process_time() - began) / 60, 1)}
            rows.append(row | {k: evaluate(audioseq.load(model), v, "greedy").wer for k, v in sets.items()})
            print(json.dumps(rows[-1]), flush=True)
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    headline = " before, ".join(f"{100 * row['test']:.2f} %" for row in (rows[0], rows[-1])) + " after"
    about = {"headline": headline, "date": date.today().isoformat(), "hardware": asked.publish}
    if asked.publish:
        (HERE / "results.json").write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n")
