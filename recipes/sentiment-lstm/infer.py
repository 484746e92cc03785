"""Tell whether a text is positive or negative, and how that looks after each of its words."""

from __future__ import annotations

import argparse
from pathlib import Path

import plot
from task import after_each_word, load

from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", metavar="TEXT")
    parser.add_argument(
        "--model", type=Path, default=Path("runs/sentiment/models/ours-sentences-0-1/best.safetensors")
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw it too: .png, .svg or .pdf")
    args = parser.parse_args()
    scored = after_each_word(*load(args.model), args.text)
    if args.plot:
        plot.words(scored, args.plot)
    for word, share in scored:
        print(f"{share:.3f}  {'+' * round(20 * share):20}  {word}")
    share = scored[-1][1]
    print(f"positive, {share:.0%}" if share > 0.5 else f"negative, {1 - share:.0%}")


if __name__ == "__main__":
    run_script(main)
