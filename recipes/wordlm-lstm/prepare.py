"""Write the sentences that are trained on, and those that are held out: every hundredth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.language import corpus

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="one sentence a line, also .xz"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/wordlm"))
    asked = parser.parse_args()
    try:
        print(corpus.hold_out(asked.source, asked.out / "train.txt", asked.out / "valid.txt"))
    except AudioseqError as error:
        sys.exit(f"error: {error}")
