"""Compare pieces with reference pieces: statistics, and copies of training data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audioseq.errors import DataError
from audioseq.midi import SUFFIXES
from audioseq.music.analysis import statistics
from audioseq.music.analysis.statistics import Row, Statistics
from audioseq.music.data.corpora import read_manifest
from audioseq.music.memorisation.copies import CopyIndex
from audioseq.music.representation.grid import Piece, read_piece

Pieces = dict[str, Piece]
"""Pieces by name."""
TOP_COPIES = 5
"""Number of copies in the summary, longest first."""


@dataclass(frozen=True)
class CopiedRun:
    """The longest run of notes that a piece shares with a training piece."""

    piece: str
    notes: int
    source: str


@dataclass(frozen=True)
class Report:
    """Statistics of pieces beside those of reference pieces."""

    rows: tuple[Row, ...]
    statistics: dict[str, Statistics]
    """Statistics of each piece, by its name."""
    reference: int
    """Number of reference pieces."""
    copies: tuple[CopiedRun, ...]
    """Longest first; empty without training pieces to search."""

    def summary(self) -> str:
        """Return readable tables."""
        lines = [f"{len(self.statistics)} pieces beside {self.reference}", "", statistics.table(self.rows)]
        if self.copies:
            lines += ["", "longest runs copied"]
            lines += [
                f"{run.notes:6d} notes  {run.piece} <- {run.source}" for run in self.copies[:TOP_COPIES]
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "pieces": len(self.statistics),
            "reference": self.reference,
            "statistics": [
                {"name": row.name, "ours": row.pieces, "reference": row.reference, "alike": row.within_range}
                for row in self.rows
            ],
            "copies": [asdict(copy) for copy in self.copies],
        }


def compare(pieces: Pieces, reference: Pieces, training: Pieces | None = None) -> Report:
    """Compare pieces with reference pieces, and search for copies of training pieces.

    Args:
        pieces: pieces by name, such as generated ones.
        reference: real pieces by name, preferably held out from training.
        training: training pieces by name, searched for runs that the pieces and the reference copy.
    Raises:
        DataError: there are no pieces or no reference pieces.
    """
    if not pieces or not reference:
        raise DataError("no pieces to compare; give two folders of MIDI files")
    own = {name: statistics.describe(piece) for name, piece in pieces.items()}
    others = {name: statistics.describe(piece) for name, piece in reference.items()}
    copies: list[CopiedRun] = []
    if training:
        index, names = CopyIndex.from_pieces(training.values()), [*training, "-"]
        for described, group in ((own, pieces), (others, reference)):
            for name, piece in group.items():
                run = index.longest_run(piece)
                described[name] = replace(described[name], longest_copy=run.notes)
                if described is own:
                    copies.append(CopiedRun(name, run.notes, names[run.source]))
    return Report(
        rows=tuple(statistics.compare(list(own.values()), list(others.values()))),
        statistics=own,
        reference=len(others),
        copies=tuple(sorted(copies, key=lambda copy: -copy.notes)),
    )


def read_pieces(
    source: str | os.PathLike[str],
    warn: Callable[[str], object],
    progress: Callable[[Sequence[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> Pieces:
    """Read the MIDI files of a folder and its subfolders, by their paths in the folder.

    Args:
        source: folder of .mid and .midi files; or one such file; or a manifest, with the ids of its pieces.
        warn: called with a message for each unusable file, which is skipped.
        progress: wraps the iterable of the files, such as a progress bar.
    Raises:
        DataError: no file is usable.
    """
    pieces: Pieces = {}
    for name, path in progress(_find_files(Path(source))):
        if (piece := read_piece(path, warn)) is not None:
            pieces[name] = piece
    if not pieces:
        raise DataError(f"{source}: no usable MIDI files; give a folder of .mid files")
    return pieces


def _find_files(source: Path) -> list[tuple[str, Path]]:
    if source.suffix == ".jsonl":
        return [(entry.id, entry.midi_filepath) for entry in read_manifest(source)]
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        return [(str(path.relative_to(source)), path) for path in paths]
    return [(source.name, source)] if source.exists() else []
