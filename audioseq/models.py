"""Where models are: names to files, bundled with the package, in the user's cache, or fetched into it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from audioseq.errors import CheckpointError


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
        name="english-small",
        task="speech",
        file="english-small.safetensors",
        sha256="49a468e117ad034f5a8dedc8dc666b025862dc7c9a7317d325d5fd458643e54a",
        summary="read English, by many speakers; to be adapted to one's own",
    ),
    Model(
        name="digits",
        task="speech",
        file="digits.safetensors",
        sha256="25369cc4755fb05f0d19f722161e37b953b3a2543b917592b0421e5e1a3650a4",
        summary="spoken English digits, zero to nine, one or many",
    ),
    Model(
        name="music-small",
        task="music",
        file="music-small.safetensors",
        sha256="bb594b98ec121215375ba727d5b94946be745834e6e6a3e558fbf07b9c0076bd",
        summary="pop piano, songs, string quartets and chorales",
    ),
    Model(
        name="english-3gram",
        task="ngram",
        file="english-3gram.safetensors.xz",
        sha256="e0b3c82a50aa1a522707d2fd18a233d007eaf54d759f8675bd656f49ee06c077",
        summary="which words follow which, of English novels",
    ),
    Model(
        name="english-lstm",
        task="language",
        file="english-lstm.safetensors.xz",
        sha256="5ff0d23d48d13292fbbf6ff4181c43a752a4f00bc69859b6a6d9efbfbe593003",
        summary="how English sentences go on, after the same novels; orders the recogniser's best texts",
    ),
    Model(
        name="chorale",
        task="harmony",
        file="chorale.safetensors",
        sha256="be1fec4887606a3cd608a3e2d8df254d23851a2615c807b1fc3402e54c35bafa",
        summary="alto, tenor and bass to a melody, after Bach's chorales",
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

    Raises:
        CheckpointError: there is none.
    Example:
        >>> default_for("speech")
        'english-small'
    """
    for model in CATALOGUE:
        if model.task == task:
            return model.name
    raise CheckpointError(f"no model for {task} comes with this version; train one, and name its file")


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
        CheckpointError: the name is unknown.
        DataError: the download failed, or the file is not what it should be.
    """
    from audioseq import download  # not needed to find a model that is here

    model = next((model for model in CATALOGUE if model.name == name), None)
    if model is None or model.url is None or (bundled_dir() / model.file).is_file():
        return resolve(name)
    return download.fetch(model.url, cache_dir() / model.file, f"sha256:{model.sha256}")
