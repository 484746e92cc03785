"""Write the results: results.json, the section of the README, and the plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from audioseq.recipe import update_readme, write_results

LABELS = {"rnn_tanh": "plain RNN", "gru": "GRU", "lstm": "LSTM", "lstm_chrono": "LSTM, chrono"}
COLOURS = {"rnn_tanh": "tab:red", "gru": "tab:green", "lstm": "tab:blue", "lstm_chrono": "tab:purple"}


def section(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    runs = {(run["problem"], run["length"], run["network"]): run for run in results["runs"]}
    networks = list(LABELS)
    rows = [["problem", "length", "baseline", *LABELS.values()], ["---"] * (3 + len(networks))]
    for problem, length in sorted({key[:2] for key in runs}):
        row = [runs.get((problem, length, network)) for network in networks]
        baseline = next(run["baseline"] for run in row if run)
        rows.append([problem, str(length), f"{baseline:.4f}", *map(_cell, row)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    shares = [
        f"{LABELS[network]} {_share(both['before'])} and {_share(both['after'])}"
        for network, both in results["gradients"].items()
    ]
    norm, error = (results["clipping"][name] for name in ("largest_norm", "error"))
    lines += [
        "",
        f"Gradient at the first of {results['closer']} frames, as a share of the largest at any frame, "
        f"before and after training: {'; '.join(shares)}.",
        "",
        f"Gradient descent from large weights, clipped at {results['clipping']['limit']}: gradients of up to "
        f"{norm['clipped']:.0e}, and the error ends at {error['clipped']:.3f}. Not clipped: gradients of up "
        f"to {norm['not clipped']:.0e}, and the error ends at {error['not clipped']:.0e}.",
        "",
        f"{results['date']}, {results['hardware']}: {results['cpu_minutes']:.1f} minutes of processor time "
        "in all.",
    ]
    return "\n".join(lines) + "\n"


def _cell(run: dict[str, Any] | None) -> str:
    if run is None:
        return ""
    return f"**{run['error']:.4f}** ({run['updates']})" if run["solved"] else f"{run['error']:.4f}"


def _share(share: float) -> str:
    return "none" if share < 1e-30 else f"{share:.0e}"


def publish(results: dict[str, Any], series: dict[str, Any], folder: Path) -> None:
    """Write results.json and memory.png into a folder, and the section of its README if it has one."""
    write_results(folder, results)
    draw(results, series).savefig(folder / "memory.png", dpi=110)
    update_readme(folder, section(results))


def draw(results: dict[str, Any], series: dict[str, Any]) -> Figure:
    """Plot errors by length, learning curves, gradient norms over time, and the effect of clipping."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    lengths, learning, reach, clipping = figure.subplots(2, 2).flat
    closer = results["closer"]
    adding = [
        (run, curve)
        for run, curve in zip(results["runs"], series["curves"], strict=True)
        if run["problem"] == "adding"
    ]
    for network, label in LABELS.items():
        curves = [(run, curve) for run, curve in adding if run["network"] == network]
        errors = sorted((run["length"], run["error"]) for run, _ in curves) or [(closer, math.nan)]
        lengths.plot(*zip(*errors, strict=True), "o-", color=COLOURS[network], label=label)
        for curve in (curve for run, curve in curves if run["length"] == closer):
            updates = [series["batches"] * epoch for epoch in range(1, len(curve) + 1)]
            learning.plot(updates, curve, ".-", color=COLOURS[network], label=label)
    for network, norms in series["gradients"].items():
        frames = range(closer - 1, -1, -1)
        reach.plot(frames, norms["before"], ":", color=COLOURS[network])
        reach.plot(frames, norms["after"], color=COLOURS[network], label=LABELS[network])
    for label, losses in series["losses"].items():
        clipping.plot(range(1, len(losses) + 1), losses, label=label)
    for axes in (lengths, learning):
        axes.axhline(1 / 6, color="grey", linestyle=":", label="baseline")

    lengths.set(title="The adding problem", xlabel="length (frames)", ylabel="squared error", yscale="log")
    learning.set(title=f"Learning to add over {closer} frames", xlabel="updates", ylabel="squared error")
    reach.set(title="How far back the gradient reaches (dotted: before training)", yscale="log")
    reach.set_ylim(bottom=1e-15)
    reach.set(xlabel="frames before the end", ylabel="‖∂loss/∂hₜ‖")
    clipping.set(title="Exploding gradients, with and without clipping", yscale="log")
    clipping.set(xlabel="updates", ylabel="squared error")
    for axes in (lengths, learning, reach, clipping):
        axes.legend(fontsize="small")
    return figure
