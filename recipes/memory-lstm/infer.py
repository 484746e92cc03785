"""Let a trained network answer sequences that it has not seen: what was asked, and what it says."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from memory import Memory

from audioseq import checkpoint
from audioseq.errors import AudioseqError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="such as runs/memory/adding-200-lstm/best.safetensors")
    parser.add_argument("-n", "--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    stored = checkpoint.load(asked.model, task="memory")
    header, model = stored.header, Memory(**stored.header.config)
    model.load_state_dict(stored.weights)
    generator = torch.Generator().manual_seed(asked.seed)
    x, y = model.problem.draw(generator, asked.count, header.config["length"])
    with torch.no_grad():
        said = model(x)
    said = said.argmax(2) if header.config["problem"] == "copy" else said[:, :, 0]
    for row in zip(y.tolist(), said.tolist(), strict=True):
        wanted, answer = (" ".join(f"{value:.4g}" for value in values) for values in row)
        print(f"wanted {wanted}, said {answer}")


if __name__ == "__main__":
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")
