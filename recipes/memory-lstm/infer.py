"""Evaluate a trained network on new sequences: print the expected and the predicted values."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from memory import Memory

from audioseq import checkpoint
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "model", type=Path, help="model file, such as runs/memory/adding-200-lstm/best.safetensors"
    )
    parser.add_argument("-n", "--count", type=int, default=5, help="number of sequences")
    parser.add_argument("--seed", type=int, default=7, help="seed of the sequences")
    args = parser.parse_args()
    stored = checkpoint.load(args.model, task="memory")
    header, model = stored.header, Memory(**stored.header.config)
    model.load_state_dict(stored.weights)
    generator = torch.Generator().manual_seed(args.seed)
    x, y = model.problem.draw(generator, args.count, header.config["length"])
    with torch.no_grad():
        predictions = model(x)
    predictions = predictions.argmax(2) if header.config["problem"] == "copy" else predictions[:, :, 0]
    for pair in zip(y.tolist(), predictions.tolist(), strict=True):
        expected, predicted = (" ".join(f"{value:.4g}" for value in values) for values in pair)
        print(f"expected {expected}, predicted {predicted}")


if __name__ == "__main__":
    run_script(main)
