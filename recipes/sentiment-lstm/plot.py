"""Plots: the score of a text after each word, and the results of the experiment."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from audioseq.files import write_bytes
from audioseq.music.analysis.plot import BACKGROUND, COLOURS, INK, PALE, check


def words(scored: Sequence[tuple[str, float]], path: Path) -> None:
    """Plot the probability of the positive class after each word of a text.

    Raises:
        ConfigError: a suffix other than .png, .svg or .pdf.
        FileError: the file cannot be written.
    """
    check(path)
    figure = Figure(figsize=(max(4.0, 0.42 * len(scored) + 1.2), 3.2), facecolor=BACKGROUND)
    axes = figure.subplots()
    places, probabilities = range(len(scored)), [probability for _, probability in scored]
    colours = [COLOURS[0] if probability > 0.5 else COLOURS[1] for probability in probabilities]
    axes.axhline(0.5, color=PALE, zorder=0)
    axes.bar(
        places,
        [probability - 0.5 for probability in probabilities],
        bottom=0.5,
        width=0.75,
        color=colours,
        alpha=0.75,
    )
    axes.set_xticks(places, [word for word, _ in scored], rotation=55, ha="right", rotation_mode="anchor")
    axes.set_yticks([0, 0.5, 1], ["negative", "undecided", "positive"])
    axes.set_xlim(-0.7, len(scored) - 0.3)
    axes.set_ylim(0, 1)
    _finish(axes)
    axes.set_title("After each word", loc="left", color=INK, fontsize=11)
    save(figure, path)


def folds(results: dict[str, Any], path: Path) -> None:
    """Plot the accuracy on each fold of the sentences and its mean, for all models above 60 %."""
    rows = [(name, row) for name, row in results["sentences"].items() if row["accuracy"] > 0.6][::-1]
    figure = Figure(figsize=(7.5, 0.55 * len(rows) + 1.1), facecolor=BACKGROUND)
    axes = figure.subplots()
    for place, (name, row) in enumerate(rows):
        colour = COLOURS[0] if name.startswith("ours") else INK
        axes.plot(
            [100 * share for share in row["by_fold"]],
            [place] * len(row["by_fold"]),
            "o",
            color=colour,
            alpha=0.35,
        )
        axes.plot([100 * row["accuracy"]], [place], "|", color=colour, markersize=22, markeredgewidth=2.5)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("accuracy on each fold and mean, %")
    _finish(axes)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file atomically; FileError if it cannot be written."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=140, bbox_inches="tight")
    write_bytes(path, buffer.getvalue())


def _finish(axes: Any) -> None:
    axes.set_facecolor(BACKGROUND)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.xaxis.label.set(color=INK, size=9)
