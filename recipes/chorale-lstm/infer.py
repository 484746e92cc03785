"""Harmonise a melody with alto, tenor and bass."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.midi import Score
from audioseq.music.harmony import pipeline
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("melody", type=Path, metavar="MELODY.mid")
    parser.add_argument("-o", "--output", type=Path, default=Path("harmonised.mid"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default="chorale", help="name or path of a model")
    args = parser.parse_args()
    piece = pipeline.load_harmoniser(args.model).harmonise(Score.load(args.melody), args.seed)[0]
    piece.save(args.output)
    print(*piece.warnings, args.output, sep="\n")


if __name__ == "__main__":
    run_script(main)
