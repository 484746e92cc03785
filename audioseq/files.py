"""Reading and writing files: atomic writes, and system errors as one-line messages."""

from __future__ import annotations

import errno
import json
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from audioseq.errors import AudioseqError, FileError

if sys.platform != "win32":
    import fcntl


_NOT_PRINTABLE = re.compile("[\\x00-\\x1f\\x7f\\ud800-\\udc7f\\udd00-\\udfff]")
"""Control characters, and surrogates that do not stand for a byte of a file name."""


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
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        # ValueError: the path has a null or another character that no file name can have
        reason = getattr(error, "strerror", None) or error
        raise error_class(f"{path}: cannot be read ({reason}); {advice}") from None


def read_text(path: str | os.PathLike[str], error_class: type[AudioseqError]) -> str:
    """Read a UTF-8 text file, with or without a byte order mark; errors as in `reading`."""
    with reading(path, error_class):
        return Path(path).read_text(encoding="utf-8-sig")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; ValueError also for values that are nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def printable(text: str) -> str:
    r"""Escape control characters in a text, surrogates, and bytes of file names that are not UTF-8.

    Example:
        >>> printable("caf\udce9\t\ud800.wav")
        'caf\\xe9\\t\\ud800.wav'
    """
    escaped = _NOT_PRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)
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
    process = f".{os.getpid()}" if sys.platform == "win32" else ""  # where a file cannot be reserved
    temporary = target.with_name(f".{target.name}{process}.tmp")
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileError(f"{path}: is not a regular file; choose another name")
    with writing(path):
        if make_folder:
            target.parent.mkdir(parents=True, exist_ok=True)
        with reserved(temporary):
            try:
                write_durably(temporary, write)
                os.replace(temporary, target)
            except BaseException:  # only then: after the renaming, another process may have made its own
                with suppress(OSError):
                    temporary.unlink()
                raise


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


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Create a temporary file, or take over the one that a killed process left.

    While another process has reserved the file, this one waits. Windows and some network file systems do not
    support this; there, processes do not wait for each other.
    """
    if sys.platform == "win32":
        path.touch()
        yield
        return
    while True:
        with open(path, "ab") as file:
            with suppress(OSError):  # no locks on this file system
                fcntl.flock(file, fcntl.LOCK_EX)
            try:  # the other process may have renamed or deleted the file that was opened
                same = os.path.samestat(path.stat(), os.fstat(file.fileno()))
            except FileNotFoundError:
                same = False
            if same:
                yield
                return


@contextmanager
def locked(path: Path, error: AudioseqError) -> Iterator[None]:
    """Hold a lock file, which the system releases when the process ends for any reason.

    Args:
        path: the file; it remains.
        error: raised if another process holds it.
    Raises:
        FileError: the file cannot be created.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    with writing(path.parent), suppress(NotImplementedError):  # no locks on this file system
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise error from None
    try:
        yield
    finally:
        lock.release()
