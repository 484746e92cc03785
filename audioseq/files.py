"""Reading and writing files: atomic writes, and system errors as one-line messages."""

from __future__ import annotations

import errno
import lzma
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from audioseq.errors import AudioseqError, FileError


@contextmanager
def reading(
    path: str | os.PathLike[str], error_class: type[AudioseqError], advice: str = "check the path"
) -> Iterator[None]:
    """Convert the system errors of reading a file into an error with a one-line message.

    Args:
        path: the file that the message names.
        error_class: class of the error to raise.
        advice: what the user should do if the file cannot be read.
    Raises:
        AudioseqError: of that class, if the file cannot be read, is truncated, or is not UTF-8 text.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise error_class(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or error
        raise error_class(f"{path}: cannot be read ({reason}); {advice}") from None


def read_text(path: str | os.PathLike[str], error_class: type[AudioseqError]) -> str:
    """Read a UTF-8 text file, with or without a byte order mark; errors as in `reading`."""
    with reading(path, error_class):
        return Path(path).read_text(encoding="utf-8-sig")


def printable(text: str) -> str:
    r"""Escape control characters in a text, and bytes of file names that are not UTF-8.

    Example:
        >>> printable("caf\udce9\t.wav")
        'caf\\xe9\\t.wav'
    """
    escaped = "".join(repr(each)[1:-1] if ord(each) < 32 or each == "\x7f" else each for each in text)
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@contextmanager
def writing(path: str | os.PathLike[str], advice: str | None = None) -> Iterator[None]:
    """Convert an OSError of writing a file into a FileError; without advice, it depends on the cause."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        advice = advice or ("free some space" if full else "check that the folder exists and is writable")
        raise FileError(f"{path}: cannot be written ({error.strerror or error}); {advice}") from None


def write_atomically(
    path: str | os.PathLike[str], write: Callable[[BinaryIO], object], *, make_folder: bool = False
) -> None:
    """Write a file under a temporary name, and rename it when it is on disk.

    Args:
        path: a symbolic link is followed; a device such as `/dev/null` or a folder is not replaced.
        write: writes the content to the opened file.
        make_folder: whether to create the folder of the file if it is missing.
    Raises:
        FileError: the file cannot be written; an existing file is left unchanged.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileError(f"{path}: is not a regular file; choose another name")
    with writing(path):
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_durably(temporary, write)
            os.replace(temporary, target)
        finally:
            with suppress(OSError):
                temporary.unlink()


def write_bytes(
    path: str | os.PathLike[str], content: bytes | memoryview, *, make_folder: bool = False
) -> None:
    """Write the content of a file; arguments and errors as in `write_atomically`."""
    write_atomically(path, lambda file: file.write(content), make_folder=make_folder)


def write_durably(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file and flush it to disk, so that it survives a loss of power."""
    with open(path, "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
