"""Compose a piece in each style."""

from __future__ import annotations

import argparse

from audioseq.music import pipeline
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", default="music-small", help="name or path of a model")
    args = parser.parse_args()
    composer = pipeline.load_composer(args.model)
    for style in composer.training_conditions:
        options = pipeline.CompositionOptions(style=style, seconds=args.seconds)
        composer.compose(args.seed, options=options)[0].save(f"{style}-{args.seed}.mid")
        print(f"{style}-{args.seed}.mid")


if __name__ == "__main__":
    run_script(main)
