"""Results of the benchmarks: a JSON file each, and the tables of `.github/docs/benchmarks.md`.

    python -m tests.benchmarks.report

Replaces the tables of the page by those of the files in `tests/benchmarks/results`. `test_results.py` checks
that the page holds exactly these tables, and that the figures of the README occur in the files.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "results"
PAGE = ROOT / ".github" / "docs" / "benchmarks.md"
BLOCK = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end of results -->)", re.DOTALL)
VECTORS = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}
"""Flags of a processor in /proc/cpuinfo, widest instructions first, and their names."""

Row = Mapping[str, str | float]
"""A row of a table: name of the column, with its unit, to what stands there."""


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser of options that has `--output`, the file of results."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--output", type=Path, default=FOLDER / f"{name}.json", help="file of results (default: %(default)s)"
    )
    return made


def show(row: Row) -> None:
    """Print a row as soon as it is measured."""
    print("  ".join(f"{column}: {value}" for column, value in row.items()), flush=True)


def write(path: Path, tables: Mapping[str, Sequence[Row]]) -> None:
    """Write the tables of a benchmark, with the command, the date, the hardware and the commit."""
    result = {
        "command": command(),
        "date": datetime.date.today().isoformat(),
        "hardware": hardware(),
        "commit": commit(),
        "tables": {title: list(rows) for title, rows in tables.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {path}", file=sys.stderr)


def command() -> str:
    """Return the command line of this process; files outside of the repository by their names alone."""
    program = Path(sys.argv[0])
    is_package = program.stem == "__main__"
    words = [f"tests.{program.parent.name}" if is_package else f"tests.benchmarks.{program.stem}"]
    for word in sys.argv[1:]:
        path = Path(word)
        if path.is_absolute():
            word = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        words.append(word)
    return " ".join(["python", "-m", *words])


def hardware() -> str:
    """Return the processor, its widest vector instructions, and the number of cores."""
    name, vectors = platform.processor() or platform.machine(), ""
    if (facts := Path("/proc/cpuinfo")).exists():
        text = facts.read_text(encoding="utf-8")
        if found := re.search(r"model name\s*: (.+)", text):
            name = found[1]
        flags = text.split()
        vectors = next((f" with {word}" for flag, word in VECTORS.items() if flag in flags), "")
    return f"{name}{vectors}, {os.cpu_count()} cores"


def commit() -> str:
    """Return the commit that was measured; `-dirty` if files have changed since."""
    git = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    return found.stdout.strip() or "unknown"


def load(name: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """Return the results of a benchmark; None if there are none."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def markdown(result: Mapping[str, Any] | None) -> str:
    """Return the tables of a benchmark, and how they were measured."""
    if result is None:
        return "\nNot measured yet.\n\n"
    parts = [f"**{title}**\n\n{table(rows)}" for title, rows in result["tables"].items()]
    measured = f"Measured on {result['date']} ({result['hardware']}, commit {result['commit']}):"
    return "\n" + "\n\n".join([*parts, f"{measured}\n\n```text\n{result['command']}\n```"]) + "\n\n"


def table(rows: Iterable[Row]) -> str:
    """Return rows of the same columns as a table.

    Example:
        >>> print(table([{"files": 1, "time (s)": 35.6}]))
        | files | time (s) |
        |---|---|
        | 1 | 35.6 |
    """
    rows = list(rows)
    lines = [list(rows[0]), *(list(map(str, row.values())) for row in rows)]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(lines[0]), *shown[1:]])


def filled(page: str, folder: Path = FOLDER) -> str:
    """Return the text of a page with the current tables of its benchmarks."""
    return BLOCK.sub(lambda block: block[1] + markdown(load(block[2], folder)) + block[3], page)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
