"""Tell whether a text is positive or negative, and how that looks after each of its words."""

from __future__ import annotations

import argparse
from pathlib import Path

import plot
from task import after_each_word, load

from audioseq.errors import AudioseqError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument(
        "--model", type=Path, default=Path("runs/sentiment/models/ours-sentences-0-1/best.safetensors")
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw it too: .png, .svg or .pdf")
    asked = parser.parse_args()
    try:
        scored = after_each_word(*load(asked.model), asked.text)
        if asked.plot:
            plot.words(scored, asked.plot)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    for word, share in scored:
        print(f"{share:.3f}  {'+' * round(20 * share):20}  {word}")
    share = scored[-1][1]
    print(f"positive, {share:.0%}" if share > 0.5 else f"negative, {1 - share:.0%}")
