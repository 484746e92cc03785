"""Plots: attention weights, and learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

MAX_FULL_SIZE_TOKENS = 60
"""Number of tokens up to which the size of an attention plot increases."""


def draw_attention(source: Sequence[str], target: Sequence[str], weights: Tensor) -> Figure:
    """Plot the attention of each token of a translation (rows) to the tokens of the sentence (columns).

    Args:
        source, target: T and U subwords.
        weights: attention weights of each layer `[L, U, T]`.
    """
    width, height = (min(len(pieces), MAX_FULL_SIZE_TOKENS) for pieces in (source, target))
    size = (len(weights) * (1 + 0.4 * width), 1.5 + 0.3 * height)
    figure = Figure(figsize=size, layout="constrained")
    columns, rows = ([piece.replace("▁", "·") for piece in pieces] for pieces in (source, target))
    for layer, axes in enumerate(figure.subplots(1, len(weights), sharey=True, squeeze=False).flat):
        axes.imshow(weights[layer].numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(rows)), rows)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_xlabel(f"layer {layer + 1}")
    return figure


def draw_learning(results: dict[str, Any]) -> Figure:
    """Plot BLEU on the validation pairs after each epoch."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for run in results["runs"]:
        scores = run["valid_by_pass"]
        axes.plot(range(1, len(scores) + 1), scores, ".-", label=f"seed {run['seed']}, greedy")
    axes.axhline(results["baselines"]["dictionary"], color="grey", linestyle=":", label="word by word (test)")
    axes.set(title="Learning curves", xlabel="epochs", ylabel="BLEU on the validation pairs")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    return figure
