"""What became of each recording of a folder run: a line each, so that a run that dies can go on.

A transcript is written under a name of its own (`.talk.txt.part`), then its line is written, then it gets its
name. Wherever the process is killed, the next run can make true what the lines say: a transcript that has its
line is there, or only needs its name; one without its line has never had a name.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from audioseq.errors import DataError
from audioseq.files import telling, write_atomically, write_safely
from audioseq.speech.batch.shard import Shard


@dataclass(frozen=True)
class SourceState:
    """What a transcript is made of besides the path; one made of the same need not be made again."""

    offset: float
    duration: float | None
    """Seconds of the stretch of the recording that is wanted; None for all there is."""
    stamp: tuple[int, ...]
    """Size and time of change of the recording; empty for what is no file."""
    settings: str
    """Fingerprint of the model, the search and the form of the transcript."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of a journal: what became of a recording."""

    status: Literal["done", "failed"]
    path: str
    """Of the recording, as it was named."""
    output: str
    """Path of the transcript in the folder."""
    duration: float | None = None
    """Seconds of audio that were transcribed."""
    words: int | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    """That it took."""
    sha256: str | None = None
    """Of the transcript as it was written."""
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    source: SourceState

    def to_line(self) -> bytes:
        """Return the line, JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """Read a line; ValueError, KeyError, TypeError or AttributeError where it is none."""
        fields = json.loads(line)
        source = fields["source"]
        fields["source"] = SourceState(**source | {"stamp": tuple(source["stamp"])})
        entry = cls(**fields | {"warnings": tuple(fields["warnings"])})
        if not all(isinstance(text, str) for text in (entry.path, entry.output, entry.finished)):
            raise TypeError(entry)
        return entry


class Journal:
    """The journals of a folder of transcripts, of which a process writes the one of its shard.

    A line stands once it is whole: half a line, which a killed process may leave, is nothing. Of several
    lines about one transcript the one that was finished last counts. Made by `opened`.

    Args:
        folder: of the transcripts.
        shard: whose journal is written.
    Raises:
        DataError: a line is damaged.
    """

    def __init__(self, folder: Path, shard: Shard) -> None:
        self.folder = folder
        self.path = folder / f"results{_suffix(shard)}.jsonl"
        self.done: dict[str, Entry] = {}
        """By their outputs."""
        for path in folder.glob("results*.jsonl"):
            if re.fullmatch(r"results(-\d+-of-\d+)?\.jsonl", path.name):
                for _, entry in _lines(path):
                    known = self.done.get(entry.output)
                    if entry.status == "done" and (known is None or known.finished <= entry.finished):
                        self.done[entry.output] = entry

    def settle(self, entry: Entry) -> bool:
        """Say whether a transcript that is done is there; one that lacks only its name is given it."""
        target = self.folder / entry.output
        part = _part(target)
        with telling(target):
            if part.is_file() and hashlib.sha256(part.read_bytes()).hexdigest() == entry.sha256:
                os.replace(part, target)
        return target.is_file()

    def begin(self, outputs: Container[str]) -> None:
        """Take out what was said so far about some transcripts, which are to be made now.

        Raises:
            CheckpointError: the journal cannot be written.
        """
        kept = (line for line, entry in _lines(self.path) if entry.output not in outputs)
        write_atomically(self.path, lambda file: file.writelines(kept))

    def add(self, entry: Entry, transcript: bytes = b"") -> None:
        """Write a line, and where it says that a transcript is done, that too.

        Raises:
            CheckpointError: it cannot be written.
        """
        target = self.folder / entry.output
        part = _part(target)
        if entry.status == "done":
            with telling(target):
                if target.is_dir():
                    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
                target.parent.mkdir(parents=True, exist_ok=True)
                write_safely(part, lambda file: file.write(transcript))
        with telling(self.path), self.path.open("ab", buffering=0) as file:
            end, line = file.tell(), entry.to_line()
            if file.write(line) < len(line):
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        if entry.status == "done":
            with telling(target):
                os.replace(part, target)


@contextmanager
def opened(folder: Path, shard: Shard) -> Iterator[Journal]:
    """Open the journals of a folder, which is made if it is not there, for as long as a run takes.

    Raises:
        CheckpointError: the folder cannot be written to.
        DataError: another process is at work there, or a line is damaged.
    """
    with telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
    own = folder / f".results{_suffix(shard)}.lock"
    with _alone(own):
        # Other shards of the same set may be at work, but none of another set: those take other recordings.
        for other in folder.glob(".results*.lock"):
            beside = shard.count > 1 and other.stem.endswith(f"-of-{shard.count}")
            if other != own and not beside:
                with _alone(other):
                    pass
        yield Journal(folder, shard)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock, which the system lets go of however the process ends."""
    lock = FileLock(path)
    with telling(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise DataError(
                f"{path.parent}: another process writes transcripts there; "
                "wait for it, or choose another folder"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _suffix(shard: Shard) -> str:
    return "" if shard.count == 1 else f"-{shard.index}-of-{shard.count}"


def _part(target: Path) -> Path:
    """Return the name of a transcript that is not recorded yet."""
    return target.with_name(f".{target.name}.part")


def _lines(path: Path) -> Iterator[tuple[bytes, Entry]]:
    """Yield the whole lines of a journal, and what they say; none where there is no such file."""
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield line, Entry.from_line(line)
                except (ValueError, KeyError, TypeError, AttributeError):
                    raise DataError(
                        f"{path}:{number}: is no line of a journal of transcripts; "
                        "delete the line, or move the file away"
                    ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
