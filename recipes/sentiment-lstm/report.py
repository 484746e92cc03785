"""Write the results: results.json, the section of the README, and the plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import plot
from experiment import FIRST

from audioseq.recipe import update_readme, write_results


def collect(rows: list[dict[str, Any]], ablated: Sequence[str], hardware: str) -> dict[str, Any]:
    """Summarise the results of all models.

    Args:
        rows: recorded results, each with a name, and most with source, fold, seed and accuracies.
        ablated: names of the variants in the ablation, compared on validation texts.
        hardware: what the results were measured on.
    """
    tables: dict[str, dict[str, Any]] = {"sentences": {}, "reviews": {}}
    for source, table in tables.items():
        tested = [row for row in rows if row.get("source") == source and "test" in row]
        for name in dict.fromkeys(row["name"] for row in tested):
            model_rows = [row for row in tested if row["name"] == name]
            by_fold, by_seed = (_means(model_rows, key) for key in ("fold", "seed"))
            table[name] = {
                "accuracy": mean(by_fold),
                "deviation": pstdev(by_fold),
                "by_fold": by_fold,
                "by_seed": by_seed,
            }
        tables[source] = dict(sorted(table.items(), key=lambda item: -item[1]["accuracy"]))
    (reading,) = [row for row in rows if row["name"] == "reading"]
    validated = [row for row in rows if row.get("source") == "sentences" and "valid" in row]
    folds = {row["fold"] for row in validated if row["name"] in ablated}
    compared = [row for row in validated if row["fold"] in folds and row["seed"] == FIRST["seed"]]
    ablation = {
        name: mean(row["valid"] for row in compared if row["name"] == name) for name in ("ours", *ablated)
    }
    return {
        "headline": f"{100 * tables['sentences']['ours']['accuracy']:.1f} %",
        "date": date.today().isoformat(),
        "hardware": hardware,
        "cpu_minutes": round(sum(row["seconds"] for row in rows) / 60, 1),
        "reading": {
            "perplexity": math.exp(reading["nats"]),
            "cpu_minutes": round(reading["seconds"] / 60, 1),
        },
        **tables,
        "ablation": ablation,
    }


def _means(rows: list[dict[str, Any]], key: str) -> list[float]:
    """Return the mean accuracy of each fold, or of each seed."""
    groups = sorted({row[key] for row in rows})
    return [mean(row["test"] for row in rows if row[key] == group) for group in groups]


def section(results: dict[str, Any]) -> str:
    """Return the results as Markdown."""
    lines = [
        f"**{results['headline']}** of the sentences right. {results['date']}, {results['hardware']}: "
        f"{results['cpu_minutes']:.1f} minutes of processor time in all, "
        f"{results['reading']['cpu_minutes']:.1f} of them for reading.",
        "",
        "| sentences: % right, ten folds | mean | deviation over folds | each seed |",
        "|---|---|---|---|",
    ]
    for name, row in results["sentences"].items():
        lines.append(
            f"| {name} | {_percent(row['accuracy'])} | {_percent(row['deviation'])} | {_seeds(row)} |"
        )
    lines += ["", "| whole reviews: % right, fold 9 | mean | each seed |", "|---|---|---|"]
    for name, row in results["reviews"].items():
        lines.append(f"| {name} | {_percent(row['accuracy'])} | {_seeds(row)} |")
    lines += ["", "| what each part is worth | % right on validation sentences |", "|---|---|"]
    lines += [f"| {name} | {_percent(share)} |" for name, share in results["ablation"].items()]
    return "\n".join(lines) + "\n"


def publish(results: dict[str, Any], folder: Path) -> None:
    """Write results.json and folds.png into a folder, and the section of its README if it has one."""
    write_results(folder, results)
    plot.folds(results, folder / "folds.png")
    update_readme(folder, section(results))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _seeds(row: dict[str, Any]) -> str:
    return ", ".join(map(_percent, row["by_seed"])) if len(row["by_seed"]) > 1 else ""
