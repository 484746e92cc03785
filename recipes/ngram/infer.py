"""Print how likely each word of a sentence is after those before it, and the sentence as a whole."""

from __future__ import annotations

import argparse
import math
import sys

from audioseq.errors import AudioseqError
from audioseq.language.ngram.files import load_ngram
from audioseq.text.tokenizer import normalise

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--model", default="runs/ngram/4-gram-8MB.safetensors", help="or an .arpa file")
    asked = parser.parse_args()
    try:
        model = load_ngram(asked.model)
        for text in asked.texts:
            words = normalise(text).text.split()
            scores = model.score(words)
            shown = zip([*words, "</s>"], scores, strict=True)
            print(f"{sum(scores):.3f}", *(f"{word} {math.exp(p):.4f}" for word, p in shown), sep="\t")
    except AudioseqError as error:
        sys.exit(f"error: {error}")
