"""Shared parts of the recipes: error messages, the options of `train.py`, and `results.json`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from audioseq.errors import AudioseqError
from audioseq.files import write_bytes

OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"type": Path, "help": "evaluate this model instead of training one"},
    "publish": {"metavar": "HARDWARE", "help": "name the hardware, and write the results to the recipe"},
    "resume": {"action": "store_true", "help": "continue the run in --run-dir"},
    "set": {"action": "append", "default": [], "metavar": "KEY=VALUE", "help": "change the config"},
    "smoke": {"action": "store_true", "help": "apply the [smoke] table of the config: a run of seconds"},
}
"""Options that several `train.py` have, with the arguments of `add_argument`."""
SECTION = re.compile("(?s)(?<=<!-- written by train.py -->\n).*(?=<!-- to here -->)")
"""The part of a recipe's README that `train.py` writes."""


def run_script(main: Callable[[], object]) -> None:
    """Run the main function of a script; an AudioseqError ends it with a one-line message and exit code 1."""
    try:
        main()
    except AudioseqError as error:
        sys.exit(f"error: {error}")


def training_parser(description: str | None, run_dir: str, *options: str) -> argparse.ArgumentParser:
    """Return the argument parser of a `train.py`.

    Args:
        description: docstring of the script.
        run_dir: default of `--run-dir`.
        options: names of further options, from `OPTIONS`.
    Example:
        >>> training_parser(None, "runs/toy", "smoke").parse_args(["--smoke"]).smoke
        True
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run-dir", type=Path, default=Path(run_dir), help="folder of models and metrics")
    for name in options:
        parser.add_argument(f"--{name}", **OPTIONS[name])
    return parser


def publish(folder: Path, results: Mapping[str, Any], hardware: str | None) -> None:
    """Print results with date and hardware as JSON; if a hardware is given, write `results.json` too.

    Args:
        folder: the folder of the recipe.
        results: metrics and the `headline` that the README repeats.
        hardware: what the results were measured on.
    """
    results = {**results, "date": date.today().isoformat(), "hardware": hardware}
    if hardware:
        write_results(folder, results)
    print(json.dumps(results, indent=2))


def write_results(folder: Path, results: Mapping[str, Any]) -> None:
    """Write `results.json` into a folder; FileError if it cannot be written."""
    write_bytes(folder / "results.json", f"{json.dumps(results, indent=2)}\n".encode())


def update_readme(folder: Path, section: str) -> None:
    """Replace the section of a recipe's README that `train.py` writes, if the folder has a README."""
    path = folder / "README.md"
    if path.exists():
        text = SECTION.sub(lambda _: section, path.read_text(encoding="utf-8"))
        write_bytes(path, text.encode())
