"""Compose with the adapted model."""

from __future__ import annotations

import argparse
from pathlib import Path

from audioseq.errors import AudioseqError
from audioseq.music import pipeline

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--output", type=Path, default=Path("rag.mid"))
    parser.add_argument("--model", default="runs/adapt-music/28/best.safetensors", help="a name, or a file")
    asked = parser.parse_args()
    try:
        pipeline.compose(asked.seed, model=asked.model).save(asked.output)
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    print(asked.output)
