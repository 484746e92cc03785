"""Write the results: results.json, and the tables of the README, beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from audioseq.recipe import update_readme, write_results

SETS = {"jsb": "JSB", "nottingham": "Nottingham", "muse": "MuseData", "piano": "Piano-midi"}
PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "LSTM (Bai et al. 2018)": (8.45, 3.29, None, None),
    "GRU (Bai et al. 2018)": (8.43, 3.46, None, None),
    "TCN (Bai et al. 2018)": (8.10, 3.07, None, None),
    "RNN-RBM (Boulanger-Lewandowski et al. 2012)": (6.27, 2.39, 6.01, 7.09),
    "RNN-NADE (Boulanger-Lewandowski et al. 2012)": (5.56, 2.31, 5.60, 7.05),
    "SRNN, a bound (Fraccaro et al. 2016)": (4.74, 2.94, 6.28, 8.20),
}
"""Nats per frame of the test pieces, in the order of `SETS`."""
VOICE_BIGRAM = 0.98
"""Nats per voice and sixteenth of a bigram model of each voice, on the test chorales."""


def collect(runs: Sequence[dict[str, Any]], seeds: int, hardware: str) -> dict[str, Any]:
    """Summarise the finished runs of `Experiment.results`; a row needs `seeds` runs to be complete."""
    rows = []
    for key in dict.fromkeys((run["set"], run["name"]) for run in runs):
        own = [run for run in runs if (run["set"], run["name"]) == key]
        rows.append(
            {
                "set": key[0],
                "name": key[1],
                "complete": len(own) == seeds,
                "valid": _summary([run["valid"] for run in own]),
                "test": _summary([run["test"] for run in own]),
                "parameters": own[0]["parameters"],
                "epochs": [round(run["epochs"], 1) for run in own],
                "cpu_minutes": round(sum(run["cpu_minutes"] for run in own), 1),
            }
        )
    best = min((row["test"]["mean"] for row in rows if row["set"] == "jsb"), default=None)
    return {
        "headline": "not measured" if best is None else f"{best:.2f} nats per frame of JSB",
        "date": date.today().isoformat(),
        "hardware": hardware,
        "cpu_minutes": round(sum(run["cpu_minutes"] for run in runs), 1),
        "rows": rows,
    }


def _summary(values: list[float]) -> dict[str, Any]:
    return {
        "mean": round(mean(values), 4),
        "deviation": round(stdev(values), 4) if len(values) > 1 else None,
        "by_seed": [round(value, 4) for value in values],
    }


def section(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    rows = {(row["set"], row["name"]): row for row in results["rows"]}
    names = dict.fromkeys(name for kind, name in rows if kind in SETS)
    lines = [
        f"**{results['headline']}**. {results['date']}, {results['hardware']}: "
        f"{results['cpu_minutes']:.1f} minutes of processor time in all.",
        "",
        f"| nats per frame, test | {' | '.join(SETS.values())} |",
        "|---|---|---|---|---|",
        *(f"| {name} | {' | '.join(map(_number, values))} |" for name, values in PUBLISHED.items()),
        *(
            f"| **ours: {name}** | {' | '.join(_cell(rows.get((key, name)), 2) for key in SETS)} |"
            for name in names
        ),
    ]
    if voices := [row for row in results["rows"] if row["set"] == "voices"]:
        lines += [
            "",
            "| JSB in four voices | nats per voice and sixteenth, test |",
            "|---|---|",
            f"| a bigram model of each voice | {VOICE_BIGRAM} |",
            *(f"| **ours: {row['name']}** | {_cell(row, 3)} |" for row in voices),
        ]
    lines += [
        "",
        "| set | network | validation | test, each seed | parameters | epochs | minutes |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["rows"]:
        by_seed = ", ".join(f"{value:.3f}" for value in row["test"]["by_seed"])
        epochs = ", ".join(f"{value:g}" for value in row["epochs"])
        lines.append(
            f"| {row['set']} | {row['name']} | {row['valid']['mean']:.3f} | {by_seed} | "
            f"{row['parameters']:,} | {epochs} | {row['cpu_minutes']:.1f} |"
        )
    if missing := [
        name for key, name in SETS.items() if not any(row["set"] == key for row in results["rows"])
    ]:
        lines += ["", f"Not trained so far: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _cell(row: dict[str, Any] | None, digits: int) -> str:
    """Return the mean of a row, its standard deviation, and the number of seeds if some are missing."""
    if row is None:
        return ""
    test = row["test"]
    spread = "" if test["deviation"] is None else f" ± {test['deviation']:.{digits}f}"
    seeds = "" if row["complete"] else f" (seeds: {len(test['by_seed'])})"
    return f"{test['mean']:.{digits}f}{spread}{seeds}"


def publish(results: dict[str, Any], folder: Path) -> None:
    """Write results.json into a folder, and the section of its README if it has one."""
    write_results(folder, results)
    update_readme(folder, section(results))
