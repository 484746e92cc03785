"""Train n-gram models of several orders and sizes, and measure each on the held-out sentences."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from table import TableConfig, fill

from audioseq.config import load
from audioseq.errors import AudioseqError
from audioseq.files import write_atomically

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-dir", type=Path, default=Path("runs/ngram"))
    parser.add_argument("--smoke", action="store_true", help="a trial of seconds")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--publish", metavar="HARDWARE", help="write results.json: measured on what")
    asked = parser.parse_args()
    config = load(TableConfig, HERE / "config.toml", asked.set, asked.smoke)
    rows = fill(config, asked.run_dir)
    if asked.publish:
        headline = f"{rows[config.best]['perplexity']}"
        about = {"headline": headline, "date": f"{date.today()}", "hardware": asked.publish}
        text = json.dumps(about | {"models": rows}, indent=2) + "\n"
        write_atomically(HERE / "results.json", lambda file: file.write(text.encode()))


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
