"""What the lesson found: results.json, the section of the README, and the plot."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

LABELS = {"rnn_tanh": "plain RNN", "gru": "GRU", "lstm": "LSTM", "lstm_chrono": "LSTM, chrono"}
COLOURS = {"rnn_tanh": "tab:red", "gru": "tab:green", "lstm": "tab:blue", "lstm_chrono": "tab:purple"}
START, END = "<!-- written by train.py -->\n", "<!-- to here -->"


def section(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    runs = {(run["problem"], run["length"], run["network"]): run for run in results["runs"]}
    networks = list(LABELS)
    rows = [["problem", "length", "baseline", *LABELS.values()], ["---"] * (3 + len(networks))]
    for problem, length in sorted({key[:2] for key in runs}):
        tried = [runs.get((problem, length, network)) for network in networks]
        baseline = next(run["baseline"] for run in tried if run)
        rows.append([problem, str(length), f"{baseline:.4f}", *map(_cell, tried)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    reach = [
        f"{LABELS[network]} {_tiny(both['before'])} and {_tiny(both['after'])}"
        for network, both in results["gradients"].items()
    ]
    norm, error = (results["clipping"][name] for name in ("largest_norm", "error"))
    lines += [
        "",
        f"Gradient at the first of {results['closer']} frames, as a share of the largest at any frame, "
        f"before and after training: {'; '.join(reach)}.",
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


def _tiny(share: float) -> str:
    return "none" if share < 1e-30 else f"{share:.0e}"


def publish(results: dict[str, Any], series: dict[str, Any], folder: Path) -> None:
    """Write results.json and memory.png into a folder, and the section of its README if it has one."""
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    draw(results, series).savefig(folder / "memory.png", dpi=110)
    readme = folder / "README.md"
    if readme.exists():
        text = readme.read_text(encoding="utf-8")
        readme.write_text(
            re.sub(f"(?s)(?<={START}).*(?={END})", lambda _: section(results), text), encoding="utf-8"
        )


def draw(results: dict[str, Any], series: dict[str, Any]) -> Figure:
    """Return the plot: who learns which length, and how; how far gradients reach; what clipping does."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    solving, learning, reaching, exploding = figure.subplots(2, 2).flat
    closer = results["closer"]
    adding = [
        (run, curve)
        for run, curve in zip(results["runs"], series["curves"], strict=True)
        if run["problem"] == "adding"
    ]
    for network, label in LABELS.items():
        own = [(run, curve) for run, curve in adding if run["network"] == network]
        errors = sorted((run["length"], run["error"]) for run, _ in own) or [(closer, math.nan)]
        solving.plot(*zip(*errors, strict=True), "o-", color=COLOURS[network], label=label)
        for curve in (curve for run, curve in own if run["length"] == closer):
            updates = [series["batches"] * epoch for epoch in range(1, len(curve) + 1)]
            learning.plot(updates, curve, ".-", color=COLOURS[network], label=label)
    for network, norms in series["gradients"].items():
        back = range(closer - 1, -1, -1)
        reaching.plot(back, norms["before"], ":", color=COLOURS[network])
        reaching.plot(back, norms["after"], color=COLOURS[network], label=LABELS[network])
    for label, losses in series["losses"].items():
        exploding.plot(range(1, len(losses) + 1), losses, label=label)
    for axes in (solving, learning):
        axes.axhline(1 / 6, color="grey", linestyle=":", label="without memory")

    solving.set(title="The adding problem", xlabel="length (frames)", ylabel="squared error", yscale="log")
    learning.set(title=f"Learning to add over {closer} frames", xlabel="updates", ylabel="squared error")
    reaching.set(title="How far back the gradient reaches (dotted: before training)", yscale="log")
    reaching.set_ylim(bottom=1e-15)
    reaching.set(xlabel="frames before the end", ylabel="‖∂loss/∂hₜ‖")
    exploding.set(title="A plain RNN that explodes, with and without clipping", yscale="log")
    exploding.set(xlabel="updates", ylabel="squared error")
    for axes in (solving, learning, reaching, exploding):
        axes.legend(fontsize="small")
    return figure
