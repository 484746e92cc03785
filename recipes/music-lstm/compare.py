"""Compare composed pieces with held-out pieces: statistics, endings, ranges, hands, parallels, density.

    python recipes/music-lstm/compare.py [MODEL] [--split valid] [--pieces 16] [--publish HARDWARE]
    python recipes/music-lstm/compare.py --table        # the published figures as the table of the README

A statistic is alike if the median of the pieces is between the 25th and the 75th percentile of the held-out
pieces. Both are 32 bars long: the held-out ones from the middle of a piece. Endings and entries are those of
whole pieces. With `--publish`, the figures become the entry `compared` of `results.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import BARS, DATA, HERE, compose, middle
from scipy.stats import spearmanr

from audioseq.music import pipeline
from audioseq.music.analysis import form, statistics
from audioseq.music.data.corpora import read_manifest
from audioseq.music.generation.draft import parts_of
from audioseq.music.pipeline import Composer, Composition, CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import Piece, read_piece, to_grid
from audioseq.music.representation.tokenizer import conditions_of
from audioseq.recipe import OPTIONS, run_script, write_results

ENTRY_BARS = 8
"""Bars within which the melody should enter."""
DENSITIES = (0.5, 1, 2, 3, 4, 6, 8, 11, 16)
"""Requested densities, notes per quarter: the range that is accepted."""
CANDIDATES = 4
"""Candidates of each piece, where the best is kept."""


def read_held_out(split: str, style: str, most: int) -> list[Piece]:
    """Return held-out pieces of a style, evenly from its list, with their own velocities."""
    own = [entry for entry in read_manifest(DATA / f"{split}.jsonl") if entry.style == style]
    chosen = own[:: max(len(own) // most, 1)][:most]
    pieces = [read_piece(entry.midi_filepath, print) for entry in chosen]
    return [piece for piece in pieces if piece is not None]


def examine(made: list[Composition]) -> list[form.Form]:
    """Examine composed pieces."""
    keys = [(each.conditions.tonic, each.conditions.minor) for each in made]
    return [form.examine(to_grid(each.score), key) for each, key in zip(made, keys, strict=True)]


def examine_held_out(pieces: list[Piece], style: str) -> list[form.Form]:
    """Examine held-out pieces; the voice of a song is written as a wind instrument, with other ranges."""
    forms = []
    for piece in pieces:
        parts = parts_of(conditions_of(piece, v.STYLES.index(style)))
        forms.append(form.examine(piece, piece.key(), [(part.low, part.high) for part in parts]))
    return forms


def density(composer: Composer, style: str) -> dict[str, Any]:
    """Return how the measured density follows the requested one."""
    measured = []
    for seed, notes in enumerate(DENSITIES):
        options = CompositionOptions(style, density=notes, bars=12)
        measured.append(composer.compose(seed, options=options)[0].density)
    return {
        "spearman": float(spearmanr(DENSITIES, measured).statistic),
        "asked": DENSITIES,
        "measured": [round(each, 2) for each in measured],
    }


def compare(composer: Composer, style: str, held_out: list[Piece], pieces: int) -> dict[str, Any]:
    """Return all comparisons of a style."""
    made = compose(composer, style, pieces)
    ours = [statistics.describe(to_grid(each.score)) for each in made]
    theirs = [statistics.describe(middle(piece)) for piece in held_out]
    rows = statistics.compare(ours, theirs)
    print(f"\n{style}", statistics.table(rows), sep="\n", flush=True)
    few = max(pieces // 8, 2)
    best = composer.compose(1, count=few, options=CompositionOptions(style, bars=BARS), best_of=CANDIDATES)
    similarity = float(np.median([statistics.describe(to_grid(b.score)).similarity_4 for b in best]))
    figures = {
        "pieces": len(made),
        "held_out": len(held_out),
        "statistics": {row.name: {"ours": row.pieces, "held_out": row.reference} for row in rows},
        "median_outside": [row.name for row in rows if not row.within_range],
        "form": form.summarise(examine(made), ENTRY_BARS),
        "form_of_held_out_pieces": form.summarise(examine_held_out(held_out, style), ENTRY_BARS),
        "key": float(
            np.mean([to_grid(m.score).key() == (m.conditions.tonic, m.conditions.minor) for m in made])
        ),
        "density": density(composer, style),
        "similarity_4_of_the_best": similarity,
    }
    print(json.dumps({name: figures[name] for name in figures if name != "statistics"}), flush=True)
    return figures


ROWS = {
    "notes per second": "notes_per_second", "polyphony": "polyphony",
    "note length, quarters: median": "note_length",
    "binary logarithm of the lengths: s.d.": "note_length_spread",
    "different velocities": "velocities", "velocity: s.d.": "velocity_spread",
    "similarity to 4 bars ago": "similarity_4", "8 bars ago": "similarity_8", "16 bars ago": "similarity_16",
}  # fmt: skip
"""Rows of the table with statistics: title, and name in the results."""
SHARES = {
    "last chord: tonic triad in root position": "tonic_triad", "cadence before it": "cadence",
    "first track enters within 8 bars": "entered",
    "pieces with notes outside their instruments": "pieces_with_notes_outside",
    "piano chords that two hands cannot play": "wide_chords",
}  # fmt: skip
"""Rows with shares of pieces or chords."""


def table(compared: dict[str, Any]) -> str:
    """Return the published figures of all styles as a table in Markdown."""
    styles = [style for style in v.STYLES if style in compared]
    rows = [["", *styles], ["---"] * (len(styles) + 1)]

    def add(title: str, cell: Callable[[dict[str, Any]], str]) -> None:
        rows.append([title, *(cell(compared[style]) for style in styles)])

    def quartiles(name: str) -> Callable[[dict[str, Any]], str]:
        digits = 1 if name in ("notes_per_second", "polyphony", "velocity_spread") else 2
        digits = 0 if name == "velocities" else digits

        def cell(figures: dict[str, Any]) -> str:
            ours, theirs = figures["statistics"][name]["ours"], figures["statistics"][name]["held_out"]
            return f"{ours[1]:.{digits}f} ({theirs[0]:.{digits}f} to {theirs[2]:.{digits}f})"

        return cell

    def percent(value: float, digits: int = 0) -> str:
        return f"{100 * value:.{digits}f} %"

    def share(name: str) -> Callable[[dict[str, Any]], str]:
        digits = 1 if name == "wide_chords" else 0

        def cell(figures: dict[str, Any]) -> str:
            ours, theirs = figures["form"][name], figures["form_of_held_out_pieces"][name]
            return f"{percent(ours, digits)} ({percent(theirs, digits)})"

        return cell

    def parallels(form: dict[str, float]) -> str:
        return f"{form['fifths']:.2f} / {form['octaves']:.2f}"

    add("pieces, and held-out pieces", lambda figures: f"{figures['pieces']}, {figures['held_out']}")
    for title, name in ROWS.items():
        add(title, quartiles(name))
    add("median outside the quartiles", lambda f: ", ".join(f["median_outside"]).replace("_", " ") or "none")
    for title, name in SHARES.items():
        add(title, share(name))
    if "chorale" in compared:
        both = (
            parallels(compared["chorale"]["form"]),
            parallels(compared["chorale"]["form_of_held_out_pieces"]),
        )
        cells = [f"{both[0]} ({both[1]})" if style == "chorale" else "–" for style in styles]
        rows.append(["parallel fifths / octaves in 100 chords", *cells])
    add("estimated key is the requested one", lambda figures: percent(figures["key"]))
    add("density requested and measured: rank correlation", lambda f: f"{f['density']['spearman']:.2f}")
    add(f"similarity to 4 bars ago, best of {CANDIDATES}", lambda f: f"{f['similarity_4_of_the_best']:.2f}")
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", nargs="?", default="music-small", help="name or path of a model")
    parser.add_argument("--split", choices=("valid", "test"), default="valid")
    parser.add_argument("--pieces", type=int, default=100, help="pieces of each style")
    parser.add_argument("--held-out", type=int, default=100, help="held-out pieces of each style, at most")
    parser.add_argument("--styles", nargs="+", default=list(v.STYLES[:-1]), choices=v.STYLES[:-1])
    parser.add_argument("--publish", **OPTIONS["publish"])
    parser.add_argument("--table", action="store_true", help="only print the published figures")
    args = parser.parse_args()
    if args.table:
        print(table(json.loads((HERE / "results.json").read_text())["compared"]))
        return
    composer = pipeline.load_composer(args.model)
    for style in args.styles:
        held_out = read_held_out(args.split, style, args.held_out)
        figures = compare(composer, style, held_out, args.pieces)
        if args.publish:
            path = Path(HERE) / "results.json"
            results = json.loads(path.read_text())
            run = {"split": args.split, "date": datetime.date.today().isoformat(), "hardware": args.publish}
            results.setdefault("compared", {})[style] = figures | run
            write_results(HERE, results)


if __name__ == "__main__":
    run_script(main)
