"""The catalogue of named models: find them in the package or the user's cache, download and open them."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from audioseq.errors import CheckpointError

if TYPE_CHECKING:
    from audioseq.checkpoint import Checkpoint
    from audioseq.config import Config

C = TypeVar("C", bound="Config")


@dataclass(frozen=True)
class Model:
    """An entry of the catalogue."""

    name: str
    task: str
    file: str
    """File name, in `assets/models` and in the cache."""
    sha256: str
    summary: str
    url: str | None = None
    """Where to download it; None for a model that is part of the package."""


CATALOGUE: tuple[Model, ...] = (
    Model(
        name="english-small",
        task="speech",
        file="english-small.safetensors",
        sha256="ad1e3b42d860f625cd06f4d94c851e2fde5ff7e6c46efb5911903c98951badd1",
        summary="read English from many speakers; a base to adapt to your own recordings",
    ),
    Model(
        name="digits",
        task="speech",
        file="digits.safetensors",
        sha256="25369cc4755fb05f0d19f722161e37b953b3a2543b917592b0421e5e1a3650a4",
        summary="spoken English digits zero to nine, single or in strings",
    ),
    Model(
        name="music-small",
        task="music",
        file="music-small.safetensors",
        sha256="bb594b98ec121215375ba727d5b94946be745834e6e6a3e558fbf07b9c0076bd",
        summary="pop piano, songs, string quartets and chorales",
    ),
    Model(
        name="english-4gram",
        task="ngram",
        file="english-4gram.safetensors.xz",
        sha256="c7ec1967c92999b164303ddf60b6cfc9ff6c4a6d65a85b7f1d991b02402546c7",
        summary="word n-gram language model of English books, for decoding",
    ),
    Model(
        name="english-lstm",
        task="language",
        file="english-lstm.safetensors",
        sha256="2be0640f04669372291de18c57b385a1a126101d8edd91d0a005c8bbb04809b6",
        summary="LSTM language model of English books, for rescoring and next-word prediction",
    ),
    Model(
        name="english-punctuation",
        task="punctuation",
        file="english-punctuation.safetensors",
        sha256="1416024039dc9087f0f8651627fd49a7a7f14ab0e55d65234c7563a0eb9828d8",
        summary="punctuation and capitals of English text and transcripts",
    ),
    Model(
        name="chorale",
        task="harmony",
        file="chorale.safetensors",
        sha256="be1fec4887606a3cd608a3e2d8df254d23851a2615c807b1fc3402e54c35bafa",
        summary="alto, tenor and bass for a melody, in the style of Bach's chorales",
    ),
)
"""The named models; the first of each task is its default."""
FORMER_NAMES = {"english-3gram": "english-4gram"}
"""Models of earlier versions and those that replace them: cards of adapted models may recommend them."""

WHISPER_NAMES = r"(openai/)?(whisper-?)?(tiny|base|small|medium|large(-v[123])?(-turbo)?|turbo)(\.en)?"
"""Names of models that users of Whisper try."""


def bundled_dir() -> Path:
    """Return the folder of bundled models: that of the installed package, or `assets` of the checkout."""
    package = Path(__file__).parent
    inside = package / "assets" / "models"
    return inside if inside.is_dir() else package.parent / "assets" / "models"


def cache_dir() -> Path:
    """Return the folder of downloaded models: `$AUDIOSEQ_CACHE`, or the cache folder of the platform.

    Raises:
        CheckpointError: the user has no home directory.
    """
    if chosen := os.environ.get("AUDIOSEQ_CACHE"):
        return Path(chosen)
    variable = {"win32": "LOCALAPPDATA", "darwin": ""}.get(sys.platform, "XDG_CACHE_HOME")
    folder = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    try:
        return Path(os.environ.get(variable) or Path.home() / folder) / "audioseq"
    except RuntimeError:
        raise CheckpointError(
            "the cache folder is unknown, because the user has no home directory; set AUDIOSEQ_CACHE"
        ) from None


def default_for(task: str) -> str:
    """Return the name of the default model of a task.

    Raises:
        CheckpointError: the catalogue has no model for the task.
    Example:
        >>> default_for("speech")
        'english-small'
    """
    for model in CATALOGUE:
        if model.task == task:
            return model.name
    raise CheckpointError(
        f"{task}: this version has no model for it; train one, and give the path of its file"
    )


def resolve(name_or_path: str | Path, task: str | None = None) -> Path:
    """Return the file of a model.

    Args:
        name_or_path: a name from the catalogue or the path of a model file.
        task: if there is no such model, the error lists only the models for this task.
    Raises:
        CheckpointError: there is no such model; the message lists the available names.
    """
    path = Path(name_or_path)
    name = FORMER_NAMES.get(str(name_or_path), str(name_or_path))
    for model in CATALOGUE:
        if model.name == name:
            for directory in (bundled_dir, cache_dir):  # a bundled model needs no home directory
                if (path := directory() / model.file).is_file():
                    return path
            advice = f"run: audioseq models fetch {model.name}" if model.url else "reinstall audioseq"
            raise CheckpointError(f"{model.name}: its file is not on this computer; {advice}")
    if path.is_file():
        return path
    if task in (None, "speech") and re.fullmatch(WHISPER_NAMES, str(name_or_path).lower()):
        raise CheckpointError(
            f"{name_or_path}: is a Whisper model, which audioseq does not read; use {default_for('speech')}"
        )
    names = ", ".join(model.name for model in CATALOGUE if task in (None, model.task))
    raise CheckpointError(f"{name_or_path}: no such model or file; available models: {names}")


def open_model(name_or_path: str | Path | None, task: str, config_class: type[C]) -> tuple[C, Checkpoint]:
    """Load a model file and parse its config.

    Args:
        name_or_path: a name from the catalogue or the path of a model file; None is the default of the task.
        task: the task that the model must be made for, such as `speech`.
        config_class: the class of its config.
    Returns:
        the config, and the checkpoint, whose weights are to be loaded with `Checkpoint.fill`.
    Raises:
        CheckpointError: there is no such model, or the file is damaged or made for another task.
        ConfigError: the config in the file is invalid.
    """
    from audioseq import checkpoint  # finding a model needs neither this nor pydantic
    from audioseq.config import parse

    path = resolve(default_for(task) if name_or_path is None else name_or_path, task)
    stored = checkpoint.load(path, task=task)
    return parse(config_class, stored.header.config, f"the config in {path}"), stored


def fetch(name: str) -> Path:
    """Download a model into the cache, verify its checksum, and return its path.

    A model that is already on this computer is not downloaded again.

    Raises:
        CheckpointError: the name is unknown.
        DataError: the download failed, or the checksum differs.
    """
    from audioseq import download  # imports rich, which finding a model does not need

    model = next((model for model in CATALOGUE if model.name == name), None)
    if model is None or model.url is None or (bundled_dir() / model.file).is_file():
        return resolve(name)
    return download.fetch(model.url, cache_dir() / model.file, f"sha256:{model.sha256}")
