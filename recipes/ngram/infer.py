"""Print the log probability of sentences, and the probability of each word given the words before it."""

from __future__ import annotations

import argparse
import math

from audioseq.language.ngram.files import load_ngram
from audioseq.recipe import run_script
from audioseq.text.tokenizer import normalise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument(
        "--model", default="runs/ngram/4-gram-8MB.safetensors", help=".safetensors or .arpa file"
    )
    args = parser.parse_args()
    model = load_ngram(args.model)
    for text in args.texts:
        words = normalise(text).text.split()
        scores = model.score(words)
        shown = zip([*words, "</s>"], scores, strict=True)
        print(f"{sum(scores):.3f}", *(f"{word} {math.exp(p):.4f}" for word, p in shown), sep="\t")


if __name__ == "__main__":
    run_script(main)
