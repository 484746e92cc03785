"""Compose with the adapted model."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.music import pipeline
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("rag.mid"))
    parser.add_argument(
        "--model", default="runs/adapt-music/28/best.safetensors", help="name or path of a model"
    )
    args = parser.parse_args()
    pipeline.compose(args.seed, model=args.model).save(args.output)
    print(args.output)


if __name__ == "__main__":
    run_script(main)
