"""Train on sentences, and measure the perplexity of those held out; beside an n-gram's where one is given."""

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.language.evaluate import compare
from audioseq.language.task import train

HERE = Path(__file__).parent

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/wordlm-lstm"))
    parser.add_argument("--resume", action="store_true", help="go on with the run in the run directory")
    parser.add_argument("--set", dest="overrides", metavar="KEY=VALUE", action="append", default=[])
    parser.add_argument("--smoke", action="store_true", help="seconds instead of an hour")
    parser.add_argument("--model", type=Path, help="measure this one instead of training")
    parser.add_argument("--ngram", type=Path, help="the n-gram model to compare with, of the same sentences")
    parser.add_argument("--valid", type=Path, default=Path("runs/data/wordlm/valid.txt"))
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    options = {"run_dir": asked.run_dir, "overrides": asked.overrides, "resume": asked.resume}
    try:
        model = asked.model or train(HERE / "config.toml", smoke=asked.smoke, **options).best
        table = compare(model, asked.ngram, HERE / "smoke.txt" if asked.smoke else asked.valid)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    headline = {"headline": f"{table['lstm']['perplexity']:.1f}"}
    text = json.dumps(
        headline | table | {"date": date.today().isoformat(), "hardware": asked.publish}, indent=2
    )
    if asked.publish:
        (HERE / "results.json").write_text(text + "\n")
    print(text)
