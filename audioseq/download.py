"""Downloads: verified by checksum, resumable, and unpacked atomically."""

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
from audioseq.files import reserved, writing

TIMEOUT_SECONDS = 60
"""A download fails after this time without a response."""
BLOCK_BYTES = 1 << 20
"""Size of one read."""


def fetch(url: str, path: Path, checksum: str | None) -> Path:
    """Download a file, resuming an earlier interrupted download.

    The file has the suffix `.part` until it is complete and verified. A file that exists with the right
    checksum is not downloaded again.

    Args:
        url: address of the file.
        path: where to write it.
        checksum: `md5:` or `sha256:` and the hexadecimal digits; None for a file that changes, which is
            always downloaded from the beginning.
    Returns:
        the path.
    Raises:
        DataError: the download failed (the received part is kept), or the checksum differs (it is deleted).
        FileError: the file cannot be written.
    """
    if checksum and path.is_file() and _matches(path, checksum):
        return path
    part = path.with_name(f"{path.name}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with reserved(part):
            if checksum and path.is_file() and _matches(path, checksum):  # another process was faster
                part.unlink()
                return path
            if not checksum:
                os.truncate(part, 0)
            try:
                _transfer(url, part)
            except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                if not part.stat().st_size:
                    part.unlink()
                raise DataError(f"{url}: cannot be downloaded ({error}); run this again to resume") from error
            if checksum and not _matches(part, checksum):
                part.unlink()
                raise DataError(f"{url}: is not the expected file (checksum differs); run this again")
            os.replace(part, path)
    return path


def unpack(archive: Path, inside: str, folder: Path) -> Path:
    """Extract one folder of a tar archive; it appears under its name when it is complete.

    Links, devices and paths outside of the folder are refused. (The filters of `tarfile` do this too, but
    only since Python 3.11.4.)

    Args:
        archive: a `.tar`, `.tar.gz` or similar file.
        inside: path of the folder in the archive.
        folder: path to extract it to; it must not exist.
    Raises:
        DataError: the archive is damaged or unsafe, has no such folder, or cannot be extracted.
    """
    work = folder.with_name(f"{folder.name}.part")
    try:
        shutil.rmtree(work, ignore_errors=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                _extract(tar, member, work)
        os.replace(work / inside, folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive}: is damaged or unsafe ({error}); delete it and download it again"
        ) from error
    except OSError as error:
        raise DataError(f"{archive}: cannot be extracted to {folder} ({error.strerror}: {inside})") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extract a member of an archive below a folder."""
    path, source = folder / member.name, tar.extractfile(member) if member.isfile() else None
    if not (source or member.isdir()) or not path.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(f"{member.name} is outside of the folder or not a regular file")
    if source:
        path.parent.mkdir(parents=True, exist_ok=True)
        with source, open(path, "wb") as file:
            shutil.copyfileobj(source, file)


def fetch_folder(url: str, checksum: str, inside: str, folder: Path) -> Path:
    """Download an archive, extract one folder, and delete the archive; an existing folder is kept.

    Arguments and errors are those of `fetch` and `unpack`.
    """
    if not folder.is_dir():
        archive = fetch(url, folder.with_name(f"{folder.name}.archive"), checksum)
        unpack(archive, inside, folder)
        archive.unlink()
    return folder


def _transfer(url: str, part: Path) -> None:
    """Download the rest of a file of which `part` is the beginning."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # the part is complete; its checksum is verified next
        raise
    with response, Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:  # the server sends the whole file
            have = 0
        length = response.headers["Content-Length"]
        total = have + int(length) if length else None
        bar = progress.add_task(url.rpartition("/")[2], total=total, completed=have)
        with open(part, "ab" if have else "wb") as file:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                progress.update(bar, advance=len(block))
            received = file.tell()
    if total is not None and received < total:
        raise http.client.IncompleteRead(b"", total - received)


def _matches(path: Path, checksum: str) -> bool:
    kind, _, digits = checksum.partition(":")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest() == digits
