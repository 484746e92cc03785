"""Translate sentences with a model that train.py wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from decode import TranslationPipeline
from plot import draw_attention

from audioseq.files import writing
from audioseq.recipe import run_script

MODEL = Path("runs/translation/seed-1/translator.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="+", metavar="TEXT", help="a sentence; - reads stdin, one a line")
    parser.add_argument("-m", "--model", type=Path, default=MODEL, help="model file")
    parser.add_argument(
        "-n", type=int, choices=range(1, 101), metavar="N", help="print the best N with their scores"
    )
    parser.add_argument("--plot", type=Path, metavar="PNG", help="plot the attention of the first sentence")
    args = parser.parse_args()
    pipeline = TranslationPipeline.load(args.model, beam=args.n or 1)
    texts = [line.strip() for line in sys.stdin] if args.text == ["-"] else args.text
    results = pipeline.translate(texts)
    for translations in results:
        for translation in translations[: args.n or 1]:
            print(f"{translation.score:.2f}\t{translation.text}" if args.n else translation.text)
    if args.plot:
        figure = draw_attention(*pipeline.attention(texts[0], results[0][0]))
        with writing(args.plot):
            figure.savefig(args.plot, dpi=110)


if __name__ == "__main__":
    run_script(main)
