"""How well a model foretells pieces that it has not learnt from."""

from __future__ import annotations

from pathlib import Path

from audioseq.errors import DataError
from audioseq.music.corpora import read_manifest
from audioseq.music.pipeline import load
from audioseq.music.task import measure, read


def evaluate(model: str | Path, manifest: str | Path, device: str = "auto") -> dict[str, float]:
    """Return nats per note and per event of each style, and the mean of the styles.

    A note is one event; those of bar lines and of the end are counted in the nats per note too.

    Args:
        model: name of a model, or path of its file.
        manifest: pieces; those that cannot be read are told of and left out.
    Raises:
        DataError: no piece can be used.
    """
    composer = load(model, device)
    examples = read(read_manifest(manifest))
    if not examples:
        raise DataError(f"{manifest}: names no piece that can be used")
    return measure(composer.model, sorted(examples, key=lambda example: len(example.events)))
