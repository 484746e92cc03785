"""Translate sentences with a model that train.py wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from decode import Interpreter
from plot import draw_attention

from audioseq.files import writing
from audioseq.recipe import run_script

MODEL = Path("runs/translation/seed-1/translator.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="+", metavar="TEXT", help="a sentence; - reads stdin, one a line")
    parser.add_argument("-m", "--model", type=Path, default=MODEL)
    parser.add_argument("-n", type=int, choices=range(1, 101), metavar="N", help="the best N, with scores")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw where the first one looked")
    args = parser.parse_args()
    interpreter = Interpreter.load(args.model, beam=args.n or 1)
    texts = [line.strip() for line in sys.stdin] if args.text == ["-"] else args.text
    found = interpreter.translate(texts)
    for translations in found:
        for each in translations[: args.n or 1]:
            print(f"{each.score:.2f}\t{each.text}" if args.n else each.text)
    if args.plot:
        figure = draw_attention(*interpreter.attention(texts[0], found[0][0]))
        with writing(args.plot):
            figure.savefig(args.plot, dpi=110)


if __name__ == "__main__":
    run_script(main)
