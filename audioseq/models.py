"""Where models are: names to files, bundled with the package, in the user's cache, or fetched into it."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from audioseq.checkpoint import write_atomically
from audioseq.errors import CheckpointError

TIMEOUT = 60
"""Seconds without an answer after which a download is given up."""
CHUNK = 2**20
"""Bytes received at a time."""


@dataclass(frozen=True)
class Model:
    """A model that has a name."""

    name: str
    task: str
    file: str
    """Its name in `assets/models` and in the cache."""
    sha256: str
    summary: str
    url: str | None = None
    """Where it is fetched from; None for one that comes with the package."""


CATALOGUE: tuple[Model, ...] = (
    Model(
        name="digits",
        task="speech",
        file="digits.safetensors",
        sha256="25369cc4755fb05f0d19f722161e37b953b3a2543b917592b0421e5e1a3650a4",
        summary="spoken English digits, zero to nine, one or many",
    ),
)
"""The models that have names; the first of a task is its default."""


def bundled_dir() -> Path:
    """Return the directory of the models that come with the package: in a wheel, else in the checkout."""
    package = Path(__file__).parent
    inside = package / "assets" / "models"
    return inside if inside.is_dir() else package.parent / "assets" / "models"


def cache_dir() -> Path:
    """Return the directory of fetched models: `$AUDIOSEQ_CACHE`, or the platform's place for such files."""
    if chosen := os.environ.get("AUDIOSEQ_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "audioseq"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "audioseq"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "audioseq"


def default_for(task: str) -> str:
    """Return the name of the model that is used for a task when none is named.

    Example:
        >>> default_for("speech")
        'digits'
    """
    return next(model.name for model in CATALOGUE if model.task == task)


def resolve(name_or_path: str | Path, task: str | None = None) -> Path:
    """Return the file of a model.

    Args:
        name_or_path: a name from the catalogue, or the path of a model file.
        task: only models for it are listed when there is no such model.
    Raises:
        CheckpointError: there is no such model; the message lists the names there are.
    """
    path = Path(name_or_path)
    for model in CATALOGUE:
        if model.name == str(name_or_path):
            for directory in (bundled_dir(), cache_dir()):
                if (directory / model.file).is_file():
                    return directory / model.file
            advice = f"run: audioseq models fetch {model.name}" if model.url else "install audioseq again"
            raise CheckpointError(f"{model.name}: its file is not on this machine; {advice}")
    if path.is_file():
        return path
    names = ", ".join(model.name for model in CATALOGUE if task in (None, model.task))
    raise CheckpointError(f"{name_or_path}: no such model or file; the models are {names}")


def fetch(name: str) -> Path:
    """Download a model into the cache, check it, and return its path; one that is here already stays.

    Raises:
        CheckpointError: the name is unknown, the download failed, or the file is not what it should be.
    """
    model = next((model for model in CATALOGUE if model.name == name), None)
    if model is None or model.url is None or (bundled_dir() / model.file).is_file():
        return resolve(name)
    path = cache_dir() / model.file
    if not path.is_file() or _sha256(path) != model.sha256:
        download(model.url, path, model.sha256)
    return path


def download(url: str, path: Path, sha256: str) -> None:
    """Fetch a file; it gets its name only when it is whole and has the right checksum.

    Raises:
        CheckpointError: the download failed, or the checksum is another; nothing is left then.
    """

    def write(file: BinaryIO) -> None:
        digest = hashlib.sha256()
        for chunk in _receive(url):
            digest.update(chunk)
            file.write(chunk)
        if digest.hexdigest() != sha256:
            raise CheckpointError(
                f"{url}: is not the file that was expected (checksum differs); try again later"
            )

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"{path.parent}: cannot be made ({error.strerror}); set AUDIOSEQ_CACHE"
        ) from None
    write_atomically(path, write)


def _receive(url: str) -> Iterator[bytes]:
    """Yield what is at an address; apart, lest an error of the network be taken for one of the disk."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
            while chunk := response.read(CHUNK):
                yield chunk
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise CheckpointError(
            f"{url}: cannot be fetched ({error}); check the network and try again"
        ) from None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
