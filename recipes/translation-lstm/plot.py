"""Pictures: where the network looked for each word, and how it learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

LEGIBLE = 60
"""Tokens for which a picture of attention has room; more are drawn closer."""


def draw_attention(source: Sequence[str], target: Sequence[str], weights: Tensor) -> Figure:
    """Draw how much each token of a translation (rows) looked at each token of the sentence (columns).

    Args:
        source, target: T and U pieces.
        weights: of each layer `[L, U, T]`.
    """
    across, down = (min(len(pieces), LEGIBLE) for pieces in (source, target))
    size = (len(weights) * (1 + 0.4 * across), 1.5 + 0.3 * down)
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
    """Draw BLEU on the validation pairs after each pass."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for run in results["runs"]:
        scores = run["valid_by_pass"]
        axes.plot(range(1, len(scores) + 1), scores, ".-", label=f"seed {run['seed']}, greedy")
    axes.axhline(results["baselines"]["dictionary"], color="grey", linestyle=":", label="word by word (test)")
    axes.set(title="Learning to translate", xlabel="passes", ylabel="BLEU on the validation pairs")
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right")
    return figure
