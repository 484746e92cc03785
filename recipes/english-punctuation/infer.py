"""Restore the punctuation and the case of texts."""

from __future__ import annotations

import argparse

from audioseq.language.punctuation.pipeline import load_punctuator
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument(
        "--model", default="runs/punctuation/tuned.safetensors", help="name or path of a model"
    )
    args = parser.parse_args()
    punctuator = load_punctuator(args.model)
    for text in args.texts:
        print(punctuator.punctuate_text(text))


if __name__ == "__main__":
    run_script(main)
