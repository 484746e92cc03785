"""Split a text into training and held-out sentences; every hundredth is held out."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.language import corpus
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="text, one sentence a line; also .xz"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/ngram"))
    args = parser.parse_args()
    print(corpus.hold_out(args.source, args.out / "train.txt", args.out / "held-out.txt"))


if __name__ == "__main__":
    run_script(main)
