"""Classify a text as positive or negative, and print the probability after each of its words."""

from __future__ import annotations

import argparse
from pathlib import Path

import plot
from task import after_each_word, load

from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", metavar="TEXT", help="the text to classify")
    parser.add_argument(
        "--model", type=Path, default=Path("runs/sentiment/models/ours-sentences-0-1/best.safetensors")
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="plot the probabilities: .png, .svg or .pdf")
    args = parser.parse_args()
    scored = after_each_word(*load(args.model), args.text)
    if args.plot:
        plot.words(scored, args.plot)
    for word, probability in scored:
        print(f"{probability:.3f}  {'+' * round(20 * probability):20}  {word}")
    probability = scored[-1][1]
    print(f"positive, {probability:.0%}" if probability > 0.5 else f"negative, {1 - probability:.0%}")


if __name__ == "__main__":
    run_script(main)
