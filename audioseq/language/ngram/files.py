"""Load and save n-gram models as compact or ARPA files, selected by the suffix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audioseq.array_cache import cached_arrays, is_cached
from audioseq.language.ngram import arpa, binary
from audioseq.language.ngram.model import NGram


def save_ngram(path: str | Path, model: NGram, card: dict[str, Any] | None = None) -> None:
    """Save a model: as ARPA text with the suffix `.arpa` (also `.arpa.gz`, …), else in the compact format.

    Args:
        card: model card of a compact file; see `checkpoint.Header`.
    Raises:
        FileError: the file cannot be written.
    """
    if _is_arpa(path):
        arpa.write(path, model)
    else:
        binary.save(path, model, card)


def load_ngram(path: str | Path) -> NGram:
    """Load a model: an ARPA file with the suffix `.arpa` (also `.arpa.gz`, …), else a compact file.

    Raises:
        CheckpointError: the file is missing, damaged, or not an n-gram model.
    """
    return arpa.read(path) if _is_arpa(path) else binary.load(path)


def load_cached(path: Path) -> NGram:
    """Load a model as `load_ngram`; a model that has a name is read from the cache, without unpacking it.

    Raises:
        CheckpointError: the file is missing, damaged, or not an n-gram model.
    """
    if not is_cached(path):
        return load_ngram(path)
    return NGram.from_arrays(cached_arrays(path, "arrays", lambda: load_ngram(path).to_arrays()), path)


def _is_arpa(path: str | Path) -> bool:
    return ".arpa" in Path(path).suffixes
