"""How well a model foretells pieces that it has not learnt from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioseq.errors import DataError
from audioseq.music.data.corpora import read_manifest
from audioseq.music.data.examples import read
from audioseq.music.pipeline import load_composer
from audioseq.music.representation import vocabulary as v
from audioseq.music.task import measure


@dataclass(frozen=True)
class Report:
    """Nats per note and per event.

    A note is one event; those of bar lines and of the end are counted in the nats per note too.
    """

    figures: dict[str, float]
    """Of each style, and the mean of the styles, as `task.measure` names them."""
    pieces: dict[str, int]
    """Of each style."""

    def summary(self) -> str:
        """Return the table that a person reads."""
        lines = [f"{'':10s}{'pieces':>8s}{'nats per note':>16s}{'per event':>12s}"]
        for style, count in self.pieces.items():
            note, event = (self.figures[f"nats_per_{unit}_{style}"] for unit in ("note", "event"))
            lines.append(f"{style:10s}{count:8d}{note:16.3f}{event:12.3f}")
        lines.append(f"{'mean':10s}{sum(self.pieces.values()):8d}{self.figures['nats_per_note']:16.3f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""
        return {"pieces": self.pieces, **{name: round(value, 4) for name, value in self.figures.items()}}


def evaluate(model: str | Path, manifest: str | Path, device: str = "auto") -> Report:
    """Measure how well a model foretells each event of pieces from those before.

    Args:
        model: name of a model, or path of its file.
        manifest: pieces; those that cannot be read are told of and left out.
    Raises:
        DataError: no piece can be used.
    """
    composer = load_composer(model, device)
    examples = read(read_manifest(manifest))
    if not examples:
        raise DataError(f"{manifest}: names no piece that can be used")
    pieces = Counter(v.STYLES[example.conditions.style] for example in examples)
    ordered = sorted(examples, key=lambda example: len(example.events))
    return Report(measure(composer.model, ordered), dict(sorted(pieces.items())))
