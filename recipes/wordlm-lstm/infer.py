"""Predict the next words of texts, or print the log probabilities of sentences."""

from __future__ import annotations

import argparse

from audioseq.language import pipeline
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument(
        "--model", default="runs/wordlm-lstm/best.safetensors", help="name or path of a model"
    )
    parser.add_argument("--score", action="store_true", help="print log probabilities of sentences")
    args = parser.parse_args()
    model = pipeline.load_predictor(args.model)
    for text in args.texts:
        if args.score:
            print(f"{model.score([text])[0]:.3f}\t{text}")
        else:
            print(text, *(f"{word} {p:.3f}" for word, p in model.predict(text)), sep="\t")


if __name__ == "__main__":
    run_script(main)
