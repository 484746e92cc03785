"""Translate sentences with a model that train.py wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from decode import Interpreter
from plot import draw_attention

from audioseq.errors import AudioseqError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "text", nargs="+", metavar="TEXT", help="a sentence; - reads stdin, a sentence a line"
    )
    parser.add_argument(
        "-m", "--model", type=Path, default=Path("runs/translation/seed-1/translator.safetensors")
    )
    parser.add_argument("-n", type=int, default=1, help="how many translations of each, with their scores")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw where the first one looked")
    asked = parser.parse_args()
    interpreter = Interpreter.load(asked.model)
    texts = [line.strip() for line in sys.stdin] if asked.text == ["-"] else asked.text
    found = interpreter.translate(texts)
    for translations in found:
        for each in translations[: asked.n]:
            print(each.text if asked.n == 1 else f"{each.score:.2f}\t{each.text}")
    if asked.plot:
        draw_attention(*interpreter.attention(texts[0], found[0][0])).savefig(asked.plot, dpi=110)


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
