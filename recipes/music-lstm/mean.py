"""Average the weights of models, such as a run and its continuation; the mean is often better."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from audioseq import checkpoint, models
from audioseq.recipe import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "models", nargs="+", help="names or paths; other tensors are taken from the first model"
    )
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    stored = [checkpoint.load(models.resolve(model), task="music") for model in args.models]
    first = stored[0].weights
    averaged = [name for name, weight in first.items() if weight.is_floating_point()]
    weights = first | checkpoint.mean({name: other.weights[name] for name in averaged} for other in stored)
    cards = [other.header.card for other in stored]
    card = {
        name: value for name, value in cards[0].items() if all(value == other.get(name) for other in cards)
    }
    card["mean_of"] = [{name: value for name, value in other.items() if name not in card} for other in cards]
    checkpoint.save(args.output, weights, replace(stored[0].header, card=card))
    print(args.output)


if __name__ == "__main__":
    run_script(main)
