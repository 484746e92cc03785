"""Train on four kinds of music; measure the test pieces in nats per note."""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path

import audioseq
from audioseq.music.evaluate import evaluate
from audioseq.music.task import train

HERE = Path(__file__).parent
TEST = Path("runs/data/music/test.jsonl")

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/music"))
    parser.add_argument("--model", type=Path, help="measure this one instead of training")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    try:
        config = HERE / "config.toml"
        model = asked.model or train(config, run_dir=asked.run_dir, resume=asked.resume).best
        minutes = None if asked.model else round(time.process_time() / 60, 1)
        figures = evaluate(model, TEST).to_dict()
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    about = {"cpu_minutes": minutes, "date": date.today().isoformat(), "hardware": asked.publish}
    headline = f"{figures['nats_per_note']:.2f} nats"
    text = json.dumps({"headline": headline, "test": figures, **about}, indent=2)
    if asked.publish:
        (HERE / "results.json").write_text(text + "\n")
    print(text)
