"""Files from the network: checked, resumed where they broke off, and unpacked whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from audioseq.errors import DataError

TIMEOUT = 60
"""Seconds without an answer after which a download is given up."""
BLOCK = 1 << 20
"""Bytes read at once."""


def fetch(url: str, path: Path, checksum: str | None) -> Path:
    """Download a file, going on where an earlier attempt broke off.

    Until it is whole and right it is called `path` with `.part` behind; a file that is here already stays.

    Args:
        url: where it is.
        path: what it will be called.
        checksum: `md5:` or `sha256:` and the hexadecimal digits; None for what changes, which
            is fetched anew from its beginning.
    Returns:
        the path.
    Raises:
        DataError: the download failed (what came is kept), or the checksum is another (nothing is kept).
    """
    if checksum and path.is_file() and _matches(path, checksum):
        return path
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not checksum:
            part.unlink(missing_ok=True)
        _transfer(url, part)
        if checksum and not _matches(part, checksum):
            part.unlink()
            raise DataError(f"{url}: is not the file that was expected (checksum differs); run this again")
        os.replace(part, path)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise DataError(f"{url}: cannot be fetched ({error}); run this again to go on") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); check space and place") from error
    return path


def unpack(archive: Path, inside: str, folder: Path) -> Path:
    """Take one folder out of a tar archive; it appears when it is complete.

    Names that lead outside, links and devices are refused. (The filters of `tarfile` would do, but Python has
    them from 3.11.4 on only.)

    Args:
        archive: `.tar`, `.tar.gz` or alike.
        inside: path of the folder in the archive.
        folder: what it will be called; there must be nothing there yet.
    Raises:
        DataError: the archive is damaged or hostile, has no such folder, or cannot be unpacked here.
    """
    work = folder.with_name(f"{folder.name}.part")
    try:
        shutil.rmtree(work, ignore_errors=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                _extract(tar, member, work)
        os.replace(work / inside, folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive}: is damaged or unsafe ({error}); delete it and fetch it again") from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be unpacked to {folder} ({error.strerror}: {inside})") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a file of an archive below a folder."""
    path, source = folder / member.name, tar.extractfile(member) if member.isfile() else None
    if not (source or member.isdir()) or not path.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"it holds {member.name}, which is outside or no file")
    if source:
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)


def fetch_folder(url: str, checksum: str, inside: str, folder: Path) -> Path:
    """Download an archive, take one folder out of it, and delete it; a folder that is here already stays.

    Arguments and errors as in `fetch` and `unpack`.
    """
    if not folder.is_dir():
        archive = fetch(url, folder.with_name(f"{folder.name}.archive"), checksum)
        unpack(archive, inside, folder)
        archive.unlink()
    return folder


def _transfer(url: str, part: Path) -> None:
    """Fetch what `part` has not got yet."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if (
            error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        ):  # nothing is missing: see the checksum
            return
        raise
    with response, Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:  # the server starts at the beginning
            have = 0
        length = response.headers["Content-Length"]
        total = have + int(length) if length else None
        bar = progress.add_task(url.rpartition("/")[2], total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(BLOCK):
                file.write(block)
                progress.update(bar, advance=len(block))
            got = file.tell()
    if total is not None and got < total:
        raise http.client.IncompleteRead(b"", total - got)


def _matches(path: Path, checksum: str) -> bool:
    kind, _, digits = checksum.partition(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest() == digits
