"""Write the mean of the weights of models, such as a run and one that goes on from it: often better."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from audioseq import checkpoint, models
from audioseq.errors import AudioseqError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="names, or files; what else is in the first is kept")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    try:
        stored = [checkpoint.load(models.resolve(model), task="music") for model in asked.models]
    except AudioseqError as error:
        parser.exit(1, f"error: {error}\n")
    first = stored[0].weights
    learnt = [name for name, weight in first.items() if weight.is_floating_point()]
    weights = first | checkpoint.mean({name: each.weights[name] for name in learnt} for each in stored)
    cards = [each.header.card for each in stored]
    card = {name: value for name, value in cards[0].items() if all(value == each.get(name) for each in cards)}
    card["mean_of"] = [{name: value for name, value in each.items() if name not in card} for each in cards]
    checkpoint.save(asked.output, weights, replace(stored[0].header, card=card))
    print(asked.output)
