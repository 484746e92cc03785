"""Measure the errors of a recogniser and the pauses after each mark on the output of recognise.py."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from audioseq.files import write_bytes
from audioseq.language.punctuation.labels import NAMES, read_labels
from audioseq.language.punctuation.metrics import transfer_labels
from audioseq.recipe import run_script
from audioseq.speech.metrics import align_texts

FEWEST = 20
"""A mark with fewer measured pauses, other than the comma, gets those of all these marks."""


def measure_errors(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Count the errors, the words that are confused, and those that are inserted."""
    counts: Counter[str] = Counter(substitution=0, deletion=0, insertion=0)
    confusions: defaultdict[str, list[str]] = defaultdict(list)
    inserted = []
    for line in lines:
        for edit in align_texts(line["text"].split(), [word for word, _, _ in line["words"]]):
            if not edit.hypothesis:
                counts["deletion"] += 1
            elif not edit.reference:
                counts["insertion"] += 1
                inserted.append(edit.hypothesis)
            elif edit.reference != edit.hypothesis:
                counts["substitution"] += 1
                confusions[edit.reference].append(edit.hypothesis)
    return {"counts": counts, "confusions": dict(sorted(confusions.items())), "inserted": sorted(inserted)}


def measure_pauses(lines: list[dict[str, Any]], written: dict[str, str]) -> dict[str, list[float]]:
    """Return the pauses after the words with each mark, seconds; the last word of a recording has none."""
    pauses: defaultdict[str, list[float]] = defaultdict(list)
    for line in lines:
        if line["id"] not in written:
            continue
        labels = transfer_labels(
            list(read_labels(written[line["id"]])), [word for word, _, _ in line["words"]]
        )
        for label, ((_, _, end), (_, start, _)) in zip(labels, pairwise(line["words"]), strict=False):
            pauses[NAMES[label.mark]].append(round(max(0.0, start - end), 2))
    measured = {name: sorted(pauses[name]) for name in NAMES}
    rare = [name for name in NAMES[2:] if len(measured[name]) < FEWEST]
    longer = sorted(pause for name in NAMES[2:] for pause in measured[name])
    return {name: longer if name in rare else seconds for name, seconds in measured.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recognised", type=Path, nargs="+", help="output of recognise.py")
    parser.add_argument(
        "--written", type=Path, required=True, help="ids and written texts, separated by tabs"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/data/punctuation"))
    args = parser.parse_args()
    lines = [json.loads(line) for path in args.recognised for line in path.read_text("utf-8").splitlines()]
    rows = (line.split("\t") for line in args.written.read_text("utf-8").splitlines())
    written = {row[0]: row[-1] for row in rows}
    errors, pauses = measure_errors(lines), measure_pauses(lines, written)
    for name, table in ("errors", errors), ("pauses", pauses):
        write_bytes(
            args.out / f"{name}.json", json.dumps(table, ensure_ascii=False).encode(), make_folder=True
        )
    print(f"{sum(len(line['text'].split()) for line in lines):,} words, errors: {dict(errors['counts'])}")
    for name, seconds in pauses.items():
        if seconds:
            print(f"pause after {name}: median {seconds[len(seconds) // 2]:.2f} s of {len(seconds)}")


if __name__ == "__main__":
    run_script(main)
