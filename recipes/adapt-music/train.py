"""Adapt a composer to pieces; measure how well it foretells others of the same hand, before and after."""

import argparse
import json
import time
from datetime import date
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.music.evaluate import evaluate
from audioseq.music.task import train

HERE, DATA = Path(__file__).parent, Path("runs/data/adapt-music")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="music-small", help="the one to adapt: a name, or a file")
    parser.add_argument("--pieces", type=int, nargs="+", default=[5, 15, 28])
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 8])
    parser.add_argument("--run-dir", type=Path, default=Path("runs/adapt-music"))
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    rows = []
    try:
        before = evaluate(asked.model, DATA / "test.jsonl").figures["nats_per_note"]
        for pieces in asked.pieces:
            began = time.process_time()
            for epochs in asked.epochs:  # each goes on from the one before
                sets = [f"data.{part}=['{DATA}/{pieces:02}-{part}.jsonl']" for part in ("train", "valid")]
                run = {"run_dir": asked.run_dir / f"{pieces:02}", "resume": epochs > asked.epochs[0]}
                sets.append(f"training.epochs={epochs}")
                best = train(HERE / "config.toml", start_from=asked.model, overrides=sets, **run).best
                row = {"pieces": pieces, "epochs": epochs, "cpu_seconds": round(time.process_time() - began)}
                rows.append(row | {"test": evaluate(best, DATA / "test.jsonl").figures["nats_per_note"]})
                print(json.dumps(rows[-1]), flush=True)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    about = {"headline": f"{before:.2f} before, {rows[-1]['test']:.2f} after", "before": before}
    if asked.publish:
        about |= {"date": date.today().isoformat(), "hardware": asked.publish, "rows": rows}
        (HERE / "results.json").write_text(json.dumps(about, indent=2) + "\n")
