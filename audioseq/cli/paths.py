"""Files that users name: protecting existing files, and naming output files."""

from __future__ import annotations

import os
from pathlib import Path

from audioseq.errors import FileError
from audioseq.files import writing


def refuse_to_overwrite(path: Path | None, force: bool) -> None:
    """Raise a FileError if the file exists and `--force` is not given."""
    if path is not None and path.exists() and not force:
        raise FileError(f"{path}: already exists; --force overwrites it, or choose another name")


def check_writable(path: Path, force: bool) -> None:
    """Raise a FileError if a file cannot be written, before any work is done for it."""
    with writing(path, "choose another name"):
        refuse_to_overwrite(path, force)
        if path.is_dir():
            raise FileError(f"{path}: is a folder; name a file in it")
        writable = path.parent.is_dir() and os.access(path.parent, os.W_OK)
    if not writable:
        raise FileError(f"{path}: cannot be written; check that its folder exists and is writable")


def numbered_path(path: Path, number: int, count: int) -> Path:
    """Return the path of one of several files.

    Args:
        path: the path of a single file.
        number: of this file, from 0.
        count: number of files.
    Example:
        >>> numbered_path(Path("tune.mid"), 0, 1).name, numbered_path(Path("tune.mid"), 0, 2).name
        ('tune.mid', 'tune-1.mid')
    """
    return path if count == 1 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def free_path(path: Path) -> Path:
    """Return the path, or the next one that does not exist: `compose-7.mid`, `compose-7-2.mid`, ..."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free
