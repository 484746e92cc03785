"""Find input recordings: files, folders, glob patterns, lists and manifests."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable
from math import isfinite
from pathlib import Path, PurePath
from typing import NamedTuple

from audioseq import audio
from audioseq.data import read_manifest
from audioseq.errors import AudioError, DataError
from audioseq.files import printable, reading

STDIN = "-"


class Recording(NamedTuple):
    """A recording to transcribe, or a part of one."""

    path: str
    """As given by the user; `-` is stdin."""
    name: str
    """Path of its transcript in the output folder, without suffix."""
    offset: float = 0.0
    """Start of the part, seconds."""
    duration: float | None = None
    """Seconds; None for the rest of the recording."""

    @property
    def label(self) -> str:
        """Printable name: the path, and the part as a media fragment, such as `a.wav#t=12.5,20`."""
        if not self.offset and self.duration is None:
            return printable(self.path)
        end = "" if self.duration is None else f",{self.offset + self.duration:g}"
        return f"{printable(self.path)}#t={self.offset:g}{end}"


def find_recordings(given: str | os.PathLike[str]) -> list[Recording]:
    """List the recordings of an input, sorted by path; those of a manifest in its order.

    Args:
        given: a folder, which is searched recursively; a glob pattern with `*`, `?`, `[...]` and `**` (any
            number of folders); a manifest (`.jsonl`), whose ids become names and whose texts are not needed;
            or one recording. The names keep the structure of subfolders. Whether a recording can be read is
            not checked here.
    Raises:
        AudioError: the folder contains no audio, or no file matches the pattern.
        DataError: the manifest cannot be read, or is damaged.
    """
    path = Path(given)
    if path.is_dir():
        return _distinct([(file, file.relative_to(path)) for file in audio.find_recordings([path])])
    if glob.has_magic(str(path)) and not path.exists():
        return _glob(path)
    if path.suffix == ".jsonl":
        return [
            Recording(
                str(u.audio_filepath), _name(u.id), u.offset, u.duration if isfinite(u.duration) else None
            )
            for u in read_manifest(path, transcribed=False)
        ]
    return [Recording(str(path), "stdin" if str(path) == STDIN else _name(path.name))]


def find_left_out(given: str | os.PathLike[str]) -> list[Path]:
    """Return the recordings in a folder, or of a pattern, that cannot be read without PyAV."""
    path = Path(given)
    files: Iterable[Path]
    if path.is_dir():
        files = path.rglob("*")
    elif glob.has_magic(str(path)) and not path.exists():
        files = map(Path, glob.iglob(str(path), recursive=True))
    else:
        return []
    return sorted(
        file for file in set(files) if file.suffix.lower() in audio.UNSUPPORTED_SUFFIXES and file.is_file()
    )


def read_list(source: str | os.PathLike[str]) -> list[Recording]:
    """Read a list of recordings from a text file, or from stdin for `-`: one path per line.

    Relative paths are relative to the current folder. The name of each recording is its whole path.

    Raises:
        DataError: the list cannot be read, or is empty.
    """
    with reading(source, DataError):
        content = sys.stdin.buffer.read() if str(source) == STDIN else Path(source).read_bytes()
    paths = (os.fsdecode(line) for line in content.removeprefix(b"\xef\xbb\xbf").splitlines())
    found = [Recording(path, _name(path)) for path in paths if path.strip()]
    if not found:
        raise DataError(f"{source}: lists no recordings; write one path per line")
    return found


def _glob(pattern: Path) -> list[Recording]:
    """Return the recordings that match a pattern, named relative to the folder before the first wildcard."""
    wildcard = next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))
    root = Path(*pattern.parts[:wildcard])
    found = sorted(
        path
        for path in map(Path, set(glob.iglob(str(pattern), recursive=True)))
        if path.suffix.lower() in audio.SUFFIXES and path.is_file()
    )
    if not found:
        raise AudioError(
            f"{pattern}: matches no recordings; the suffixes of recordings are {' '.join(audio.SUFFIXES)}"
        )
    return _distinct([(path, path.relative_to(root)) for path in found])


def _distinct(files: list[tuple[Path, Path]]) -> list[Recording]:
    """Return recordings by path and relative path; a name that is taken keeps its suffix: a.flac, a.m4a."""
    recordings: list[Recording] = []
    taken: set[str] = set()
    for file, relative in files:
        name = _name(relative)
        recordings.append(Recording(str(file), str(relative) if name in taken else name))
        taken.add(name)
    return recordings


def _name(path: str | PurePath) -> str:
    """Return a path without audio suffix, root and `..`, so that it stays inside the output folder."""
    path = PurePath(path)
    relative = PurePath(*(part for part in path.parts if part not in (path.anchor, "..")))
    return str(relative.with_suffix("") if relative.suffix.lower() in audio.SUFFIXES else relative)
