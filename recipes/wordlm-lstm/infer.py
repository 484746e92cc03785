"""Print the next words of a sentence that has begun, or how likely whole sentences are."""

from __future__ import annotations

import argparse

from audioseq.errors import AudioseqError
from audioseq.language import pipeline

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--model", default="runs/wordlm-lstm/best.safetensors", help="a name, or a file")
    parser.add_argument("--score", action="store_true", help="log probabilities of the texts as sentences")
    asked = parser.parse_args()
    try:
        model = pipeline.load_predictor(asked.model)
        for text in asked.texts:
            if asked.score:
                print(f"{model.score([text])[0]:.3f}\t{text}")
            else:
                print(text, *(f"{word} {chance:.3f}" for word, chance in model.predict(text)), sep="\t")
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
