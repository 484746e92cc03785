"""Train on four kinds of music; tell how well the model foretells the test pieces, in nats per note."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import audioseq
from audioseq.music.evaluate import evaluate
from audioseq.music.task import train

HERE = Path(__file__).parent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/music"))
    parser.add_argument("--resume", action="store_true", help="go on with the run in --run-dir")
    asked = parser.parse_args()
    try:
        best = train(HERE / "config.toml", run_dir=asked.run_dir, resume=asked.resume).best
        print(f"{best}: {time.process_time() / 60:.1f} minutes of processor time")
        print(evaluate(best, "runs/data/music/test.jsonl").summary())
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
