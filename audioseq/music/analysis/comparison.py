"""How like real music some pieces are: statistics beside those of reference pieces, and what is copied."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audioseq.errors import AudioseqError, DataError
from audioseq.midi import SUFFIXES, Score
from audioseq.music.analysis import statistics
from audioseq.music.analysis.statistics import Row, Statistics
from audioseq.music.data.corpora import read_manifest
from audioseq.music.memorisation.copies import CopyIndex
from audioseq.music.representation.grid import Piece, to_grid

SUMMARY_COPIES = 5
"""Of the longest copies, in the summary."""


@dataclass(frozen=True)
class CopiedRun:
    """The longest run of notes that a piece shares with one that was searched."""

    piece: str
    notes: int
    source: str


@dataclass(frozen=True)
class Report:
    """What pieces are like, beside reference pieces."""

    rows: tuple[Row, ...]
    statistics: dict[str, Statistics]
    """Of each piece, by its name."""
    reference: int
    """How many reference pieces there are."""
    copies: tuple[CopiedRun, ...]
    """Longest first; empty if none were looked for."""

    def summary(self) -> str:
        """Return the tables that a person reads."""
        lines = [f"{len(self.statistics)} pieces beside {self.reference}", "", statistics.table(self.rows)]
        if self.copies:
            lines += ["", "longest runs copied"]
            lines += [
                f"{copy.notes:6d} notes  {copy.piece} <- {copy.source}"
                for copy in self.copies[:SUMMARY_COPIES]
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""
        return {
            "pieces": len(self.statistics),
            "reference": self.reference,
            "statistics": [
                {**row._asdict(), "alike": row.within_range}
                | {"ours": list(row.ours), "reference": list(row.reference)}
                for row in self.rows
            ],
            "copies": [asdict(copy) for copy in self.copies],
        }


def compare(
    pieces: dict[str, Piece], reference: dict[str, Piece], training: dict[str, Piece] | None = None
) -> Report:
    """Compare pieces with reference pieces, and look for what they copied.

    Args:
        pieces: by name; such as those that a model composed.
        reference: real pieces, best some that it was not trained on.
        training: those that it was trained on, to look for copies in, by the pieces and by the reference.
    Raises:
        DataError: no pieces, or none to compare them with.
    """
    if not pieces or not reference:
        raise DataError("there are no pieces to compare; give two folders of MIDI files")
    ours = {name: statistics.describe(piece) for name, piece in pieces.items()}
    theirs = {name: statistics.describe(piece) for name, piece in reference.items()}
    copies: list[CopiedRun] = []
    if training:
        index, names = CopyIndex.from_pieces(training.values()), [*training, "-"]
        for described, group in ((ours, pieces), (theirs, reference)):
            for name, piece in group.items():
                run = index.longest_run(piece)
                described[name] = replace(described[name], longest_copy=run.notes)
                if described is ours:
                    copies.append(CopiedRun(name, run.notes, names[run.source]))
    return Report(
        rows=tuple(statistics.compare(list(ours.values()), list(theirs.values()))),
        statistics=ours,
        reference=len(theirs),
        copies=tuple(sorted(copies, key=lambda copy: -copy.notes)),
    )


def read_pieces(
    source: str | os.PathLike[str],
    warn: Callable[[str], object],
    watch: Callable[[Sequence[tuple[str, Path]]], Iterable[tuple[str, Path]]] = iter,
) -> dict[str, Piece]:
    """Read the MIDI files in a folder and its subfolders, by their paths within it.

    Args:
        source: folder of .mid and .midi files; or one such file; or a manifest, whose pieces have names.
        warn: called with a line for each file that cannot be used; the others go on.
        watch: hands on what is to be read, one by one; such as a bar of progress.
    Raises:
        DataError: no file can be used.
    """
    pieces: dict[str, Piece] = {}
    for name, path in watch(_files(Path(source))):
        try:
            pieces[name] = to_grid(Score.load(path))
        except AudioseqError as error:
            warn(str(error))
    if not pieces:
        raise DataError(f"{source}: has no MIDI files that can be used; give a folder of .mid files")
    return pieces


def _files(source: Path) -> list[tuple[str, Path]]:
    if source.suffix == ".jsonl":
        return [(tune.id, tune.midi_filepath) for tune in read_manifest(source)]
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        return [(str(path.relative_to(source)), path) for path in paths]
    return [(source.name, source)] if source.exists() else []
