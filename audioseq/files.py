"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from audioseq.errors import CheckpointError


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, and give it its name when it is safely on disk.

    Args:
        path: a link is followed; anything but a file, such as `/dev/null`, is refused, not replaced.
        write: writes the content; an OSError in it counts as one of the file.
    Raises:
        CheckpointError: it cannot be written; the file that was there is left as it was.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    if os.path.exists(target) and not os.path.isfile(target):
        raise CheckpointError(f"{path}: is no file that could be replaced; choose another name")
    with telling(path):
        try:
            write_safely(temporary, write)
            os.replace(temporary, target)
        finally:
            with suppress(OSError):
                temporary.unlink()


def write_safely(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file, and return when it is on disk, where a loss of power leaves it."""
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def telling(path: str | Path) -> Iterator[None]:
    """Make a CheckpointError that says what to do of an OSError in writing a file."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        advice = "free some space" if full else "check that the folder exists and may be written to"
        raise CheckpointError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from None
