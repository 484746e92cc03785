"""Write alto, tenor and bass to a melody."""

from __future__ import annotations

import argparse
from pathlib import Path

import audioseq
from audioseq.midi import Score
from audioseq.music.harmony import pipeline

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("melody", type=Path, metavar="MELODY.mid")
    parser.add_argument("-o", "--output", type=Path, default=Path("harmonised.mid"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--model", default="chorale", help="a name, or a file")
    asked = parser.parse_args()
    try:
        piece = pipeline.load_harmoniser(asked.model).harmonise(Score.load(asked.melody), asked.seed)[0]
        piece.save(asked.output)
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    print(*piece.remarks, asked.output, sep="\n")
