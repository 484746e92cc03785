"""Files of n-gram models: binary or ARPA, chosen by the suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audioseq.language.ngram import arpa, binary
from audioseq.language.ngram.model import NGram


def save_ngram(path: str | Path, model: NGram, card: dict[str, Any] | None = None) -> None:
    """Write a model: as ARPA text when it is named so (`.arpa`, `.arpa.gz`, …), else in the compact form.

    Args:
        card: what a compact file says about its model; see `checkpoint.Header`.
    Raises:
        CheckpointError: the file cannot be written.
    """
    if _is_arpa(path):
        arpa.write(path, model)
    else:
        binary.save(path, model, card)


def load_ngram(path: str | Path) -> NGram:
    """Read a model: an ARPA file when it is named so (`.arpa`, `.arpa.gz`, …), else a compact one.

    Raises:
        CheckpointError: the file is missing, damaged, or another kind of model.
    """
    return arpa.read(path) if _is_arpa(path) else binary.load(path)


def _is_arpa(path: str | Path) -> bool:
    return ".arpa" in Path(path).suffixes
