"""Compose a piece in each style."""

from __future__ import annotations

import argparse

import audioseq
from audioseq.music import pipeline

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="music-small", help="a name, or a file")
    asked = parser.parse_args()
    try:
        composer = pipeline.load_composer(asked.model)
        for style in composer.usual:
            wishes = pipeline.CompositionOptions(style=style, seconds=asked.seconds)
            composer.compose(asked.seed, options=wishes)[0].save(f"{style}-{asked.seed}.mid")
            print(f"{style}-{asked.seed}.mid")
    except audioseq.AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
