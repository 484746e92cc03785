"""The private temporary folder of a server process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audioseq.errors import FileError
from audioseq.files import locked

PREFIX = "audioseq-serve-"
LOCK = "lock"
"""Name of the file in the folder that is locked while its process runs."""


@contextmanager
def private_folder() -> Iterator[Path]:
    """Create a folder that only this user can read, use it for all temporary files, and remove it at the end.

    Folders that killed processes left are removed first. A folder gets its final name once it is locked, so
    that no other process takes it for such a one.

    Raises:
        FileError: the folder cannot be created.
    """
    before = tempfile.tempdir
    parent = Path(tempfile.gettempdir())
    if parent.name.startswith(PREFIX):  # that of another server in this process, which may end first
        parent = parent.parent
    _remove_leftovers(parent)
    new = Path(tempfile.mkdtemp(prefix="." + PREFIX))
    with locked(new / LOCK, _busy(new)):
        folder = new.rename(parent / new.name.removeprefix("."))
        tempfile.tempdir = str(folder)
        try:
            yield folder
        finally:
            if tempfile.tempdir == str(folder):
                tempfile.tempdir = before if before and Path(before).is_dir() else None
            shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    """Remove the folders of processes that no longer run."""
    for folder in parent.glob(f"{PREFIX}*"):
        if folder.is_symlink() or (hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()):
            continue
        try:
            with locked(folder / LOCK, _busy(folder)):
                pass
        except FileError:
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _busy(folder: Path) -> FileError:
    return FileError(f"{folder}: another process uses this folder")
