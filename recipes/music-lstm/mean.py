"""Write the mean of the weights of models, such as a run and one that goes on from it: often better.

Source: Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization".
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from audioseq import checkpoint, models
from audioseq.errors import AudioseqError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="names, or files; what else is in the first is kept")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    try:
        stored = [checkpoint.load(models.resolve(model), task="music") for model in asked.models]
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    weights = dict(stored[0].weights)
    for name, weight in weights.items():
        if weight.is_floating_point():
            weights[name] = torch.stack([each.weights[name].float() for each in stored]).mean(0)
    cards = [each.header.card for each in stored]
    card = {name: value for name, value in cards[0].items() if all(value == each.get(name) for each in cards)}
    card["mean_of"] = [{name: value for name, value in each.items() if name not in card} for each in cards]
    checkpoint.save(asked.output, weights, replace(stored[0].header, card=card))
    print(asked.output)
