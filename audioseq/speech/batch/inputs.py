"""Which recordings a user means: files, folders, patterns, lists and manifests."""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path, PurePath
from typing import NamedTuple

from audioseq import audio
from audioseq.data import read_manifest
from audioseq.errors import AudioError, DataError

STDIN = "-"


class Recording(NamedTuple):
    """A recording, or a stretch of one, that is to be transcribed."""

    path: str
    """As the user named it; `-` is stdin."""
    name: str
    """Path of its transcript within a folder of transcripts, without a suffix."""
    offset: float = 0.0
    """Where in the recording it starts, seconds."""
    duration: float | None = None
    """Seconds; None for all that is there."""


def find_recordings(given: str | os.PathLike[str]) -> list[Recording]:
    """List the recordings that a user means, in the order of their paths; a manifest has its own order.

    A folder is searched recursively, and keeps its shape in the names. So does what a pattern matches: it may
    use `*`, `?`, `[...]` and, for folders of any depth, `**`. A `.jsonl` file is a manifest: offsets and
    durations are honoured, ids are names, texts are not needed. Anything else is one recording; that it can
    be read is seen when it is.

    Raises:
        AudioError: the folder has no audio in it, or nothing matches the pattern.
        DataError: the manifest cannot be used.
    """
    path = Path(given)
    if path.is_dir():
        return [Recording(str(at), _name(at.relative_to(path))) for at in audio.find([path])]
    if glob.has_magic(str(path)) and not path.exists():
        return _matching(path)
    if path.suffix == ".jsonl":
        return [
            Recording(str(u.audio_filepath), _name(u.id), u.offset, u.duration)
            for u in read_manifest(path, transcribed=False)
        ]
    return [Recording(str(path), "stdin" if str(path) == STDIN else _name(path.name))]


def read_list(source: str | os.PathLike[str]) -> list[Recording]:
    """Return the recordings that a text file, or `-` for stdin, names: a path a line, in their order.

    Relative paths start from the current folder. Each recording is named after its whole path.

    Raises:
        DataError: the list cannot be read, or is empty.
    """
    try:
        content = sys.stdin.buffer.read() if str(source) == STDIN else Path(source).read_bytes()
    except OSError as error:
        raise DataError(f"{source}: cannot be read ({error.strerror}); check the path") from None
    paths = (os.fsdecode(line) for line in content.removeprefix(b"\xef\xbb\xbf").splitlines())
    found = [Recording(path, _name(path)) for path in paths if path.strip()]
    if not found:
        raise DataError(f"{source}: names no recordings; write one path a line")
    return found


def _matching(pattern: Path) -> list[Recording]:
    magic = next(place for place, part in enumerate(pattern.parts) if glob.has_magic(part))
    root = Path(*pattern.parts[:magic])
    found = sorted(
        path
        for path in map(Path, set(glob.iglob(str(pattern), recursive=True)))
        if path.suffix.lower() in audio.SUFFIXES and path.is_file()
    )
    if not found:
        raise AudioError(
            f"{pattern}: matches no recordings; looked for files with {' '.join(audio.SUFFIXES)}"
        )
    return [Recording(str(path), _name(path.relative_to(root))) for path in found]


def _name(path: str | PurePath) -> str:
    """Return a path without the suffix of audio, as one that leads out of no folder it is put in."""
    path = PurePath(path)
    inside = PurePath(*(part for part in path.parts if part not in (path.anchor, "..")))
    return str(inside.with_suffix("") if inside.suffix.lower() in audio.SUFFIXES else inside)
