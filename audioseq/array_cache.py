"""Arrays that take long to derive from a named model, kept in the cache folder and read by memory map."""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import CheckpointError, FileError
from audioseq.files import reading, write_atomically
from audioseq.models import bundled_dir, cache_dir

VERSION = 1
"""Raised when the arrays have another meaning; those of other versions are derived again."""
ALIGNMENT = 64
"""Bytes; each array starts at a multiple of it."""

Arrays = dict[str, NDArray[Any]]


def is_cached(path: Path) -> bool:
    """Whether the arrays of a model file are cached: those of the models that have a name."""
    with suppress(CheckpointError):  # there is no cache folder
        folder = cache_dir()
        return path.parent in (bundled_dir(), folder)
    return False


def cached_arrays(path: Path, kind: str, derive: Callable[[], Mapping[str, NDArray[Any]]]) -> Arrays:
    """Return arrays that are derived from a model file.

    They are derived again if the content of the file has changed, and always if the cache folder cannot be
    written.

    Args:
        path: the model file.
        kind: name of the arrays, part of the name of the file in the cache.
        derive: computes the arrays.
    Raises:
        CheckpointError: the model file cannot be read.
    """
    target = cache_dir() / f"{path.name}.{kind}"
    with reading(path, CheckpointError), open(path, "rb") as file:
        source = [VERSION, hashlib.file_digest(file, "sha256").hexdigest()]
    with suppress(OSError, ValueError, TypeError):
        if (found := _read(target, source)) is not None:
            return found
    arrays = dict(derive())
    with suppress(FileError):
        write_atomically(target, lambda file: _write(file, source, arrays), make_folder=True)
    return arrays


def _write(file: BinaryIO, source: list[Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a line of JSON with the source and the arrays, then the arrays."""
    table = {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}
    line = json.dumps([source, table]).encode()
    line += b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"
    file.write(line)
    for array in arrays.values():
        content = np.ascontiguousarray(array).tobytes()
        file.write(content + bytes(-len(content) % ALIGNMENT))


def _read(path: Path, source: list[Any]) -> Arrays | None:
    """Map the arrays of a file; None if they are of another source."""
    with open(path, "rb") as file:
        line = file.readline()
        written, table = json.loads(line)
        if written != source:
            return None
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    arrays, start = Arrays(), len(line)
    for name, (dtype, shape) in table.items():
        size = int(np.prod(shape))
        arrays[name] = np.frombuffer(content, dtype, size, start).reshape(shape)
        start += arrays[name].nbytes
        start += -start % ALIGNMENT
    return arrays
