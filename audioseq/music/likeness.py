"""How like real music some pieces are: statistics beside those of reference pieces, and what is copied."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audioseq.errors import AudioseqError, DataError
from audioseq.midi import Score
from audioseq.music import statistics
from audioseq.music.copies import Copies
from audioseq.music.grid import Piece, to_grid
from audioseq.music.statistics import Row, Statistics

SHOWN = 5
"""Of the longest copies, in the summary."""
SUFFIXES = (".mid", ".midi")


@dataclass(frozen=True)
class Copy:
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
    copies: tuple[Copy, ...]
    """Longest first; empty if none were looked for."""

    def summary(self) -> str:
        """Return the tables that a person reads."""
        lines = [f"{len(self.statistics)} pieces beside {self.reference}", "", statistics.table(self.rows)]
        if self.copies:
            lines += ["", "longest runs copied"]
            lines += [f"{copy.notes:6d} notes  {copy.piece} <- {copy.source}" for copy in self.copies[:SHOWN]]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""
        return {
            "pieces": len(self.statistics),
            "reference": self.reference,
            "statistics": [
                {**row._asdict(), "alike": row.alike}
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
    copies: list[Copy] = []
    if training:
        index, names = Copies.of(training.values()), [*training, "-"]
        for described, group in ((ours, pieces), (theirs, reference)):
            for name, piece in group.items():
                run = index.longest_run(piece)
                described[name] = replace(described[name], longest_copy=run.notes)
                if described is ours:
                    copies.append(Copy(name, run.notes, names[run.source]))
    return Report(
        rows=tuple(statistics.compare(list(ours.values()), list(theirs.values()))),
        statistics=ours,
        reference=len(theirs),
        copies=tuple(sorted(copies, key=lambda copy: -copy.notes)),
    )


def read_pieces(
    folder: str | os.PathLike[str], warn: Callable[[str], object], prepare: Callable[[Score], Piece] = to_grid
) -> dict[str, Piece]:
    """Read the MIDI files in a folder and its subfolders, by their paths within it.

    Args:
        folder: of .mid and .midi files; or one such file.
        warn: called with a line for each file that cannot be used; the others go on.
        prepare: puts a score on the grid.
    Raises:
        DataError: no file can be used.
    """
    root = Path(folder)
    paths = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    pieces: dict[str, Piece] = {}
    for path in paths:
        try:
            pieces[str(path.relative_to(root)) if path != root else path.name] = prepare(Score.load(path))
        except AudioseqError as error:
            warn(str(error))
    if not pieces:
        raise DataError(f"{folder}: has no MIDI files that can be used; give a folder of .mid files")
    return pieces
