"""The journal of a batch transcription: one line per recording, so that a killed run can be resumed.

A transcript is written to a temporary file (`.talk.txt.part`), then its line is appended to the journal, then
the file is renamed. Whenever the process is killed, the next run finds a consistent state: a transcript in
the journal exists, or only needs to be renamed; a transcript that is not in the journal has not been renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from audioseq.errors import DataError, FileError
from audioseq.files import locked, parse_json, reading, write_atomically, write_durably, writing
from audioseq.speech.batch.shard import Shard


@dataclass(frozen=True)
class SourceState:
    """Everything besides the path that a transcript depends on; if it is unchanged, so is the transcript."""

    offset: float
    duration: float | None
    """Seconds of the transcribed part; None for the rest of the recording."""
    stamp: tuple[int, ...]
    """Size and modification time of the recording; empty if it is not a file."""
    settings: str
    """Fingerprint of the model, the decoding and the format of the transcript."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of a journal: the result of one recording."""

    status: Literal["done", "failed", "left out"]
    """`left out` is a file in a format that cannot be read."""
    path: str
    """Path of the recording, as given."""
    output: str
    """Path of the transcript, relative to the output folder."""
    duration: float | None = None
    """Seconds of audio that were transcribed."""
    words: int | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    seconds: float = 0.0
    """Seconds that the transcription took."""
    sha256: str | None = None
    """Hash of the transcript."""
    finished: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="microseconds"))
    source: SourceState

    def to_line(self) -> bytes:
        """Return the line, as JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """Parse a line; ValueError, KeyError, TypeError or AttributeError if it is not an entry."""
        fields = parse_json(line)
        source = fields["source"]
        fields["source"] = SourceState(**source | {"stamp": tuple(source["stamp"])})
        entry = cls(**fields | {"warnings": tuple(fields["warnings"])})
        if not all(isinstance(text, str) for text in (entry.path, entry.output, entry.finished)):
            raise TypeError(entry)
        return entry


class Journal:
    """The journals of an output folder; each process writes the journal of its shard.

    An incomplete last line, which a killed process can leave, is ignored. If several lines are about the same
    transcript, the one with the latest time is used. Create it with `open_journal`.

    Args:
        folder: of the transcripts.
        shard: of the journal to write.
    Raises:
        DataError: a line is damaged.
    """

    def __init__(self, folder: Path, shard: Shard) -> None:
        self.folder = folder
        self.path = folder / f"results{_suffix(shard)}.jsonl"
        self.done: dict[str, Entry] = {}
        """Entries of finished transcripts, keyed by `output`."""
        for path in folder.glob("results*.jsonl"):
            if re.fullmatch(r"results(-\d+-of-\d+)?\.jsonl", path.name):
                for _, entry in _lines(path):
                    known = self.done.get(entry.output)
                    if entry.status == "done" and (known is None or known.finished <= entry.finished):
                        self.done[entry.output] = entry

    def ensure_transcript(self, entry: Entry) -> bool:
        """Return whether the transcript of an entry exists, after renaming its temporary file if needed."""
        target = self.folder / entry.output
        part = _part(target)
        with writing(target):
            if part.is_file() and hashlib.sha256(part.read_bytes()).hexdigest() == entry.sha256:
                os.replace(part, target)
        return target.is_file()

    def begin(self, outputs: Container[str]) -> None:
        """Remove the lines about transcripts that are going to be written.

        Raises:
            FileError: the journal cannot be written.
        """
        kept = (line for line, entry in _lines(self.path) if entry.output not in outputs)
        write_atomically(self.path, lambda file: file.writelines(kept))

    def add(self, entry: Entry, transcript: bytes = b"") -> None:
        """Append an entry, and write the transcript if the entry says that it is done.

        Raises:
            FileError: the journal or the transcript cannot be written.
        """
        target = self.folder / entry.output
        part = _part(target)
        if entry.status == "done":
            with writing(target):
                if target.is_dir():
                    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
                target.parent.mkdir(parents=True, exist_ok=True)
                with _removing_on_error(part):
                    write_durably(part, lambda file: file.write(transcript))
        with _removing_on_error(part), writing(self.path), self.path.open("ab", buffering=0) as file:
            end, line = file.tell(), entry.to_line()
            if file.write(line) < len(line):
                file.truncate(end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        if entry.status == "done":
            with writing(target):
                os.replace(part, target)


@contextmanager
def open_journal(folder: Path, shard: Shard) -> Iterator[Journal]:
    """Open and lock the journal of a shard for the duration of a run; the folder is created if needed.

    Raises:
        FileError: the folder cannot be written to.
        DataError: another process writes to the folder, or a line is damaged.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    own = folder / f".results{_suffix(shard)}.lock"
    busy = DataError(
        f"{folder}: another process writes transcripts to this folder; wait for it, or choose another folder"
    )
    with locked(own, busy):
        # Other shards of the same count may run at the same time, since they have other recordings. Shards of
        # another count overlap with this one.
        for other in folder.glob(".results*.lock"):
            disjoint = shard.count > 1 and other.stem.endswith(f"-of-{shard.count}")
            if other != own and not disjoint:
                with locked(other, busy):
                    pass
        yield Journal(folder, shard)


def _suffix(shard: Shard) -> str:
    return "" if shard.count == 1 else f"-{shard.index}-of-{shard.count}"


def _part(target: Path) -> Path:
    """Return the path of the temporary file of a transcript."""
    return target.with_name(f".{target.name}.part")


@contextmanager
def _removing_on_error(part: Path) -> Iterator[None]:
    """Remove a temporary file if the disk is full."""
    try:
        yield
    except (OSError, FileError):
        with suppress(OSError):
            part.unlink()
        raise


def _lines(path: Path) -> Iterator[tuple[bytes, Entry]]:
    """Yield the complete lines of a journal and their entries; none if the file does not exist."""
    if not path.exists():
        return
    with reading(path, DataError, "check its permissions"), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield line, Entry.from_line(line)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise DataError(
                    f"{path}:{number}: is not a journal entry; delete the line, or move the file away"
                ) from None
