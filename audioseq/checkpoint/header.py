"""Headers of model files: what a model is, in the metadata of its safetensors or ONNX file."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from audioseq.errors import CheckpointError
from audioseq.files import reading

FORMAT = "audioseq/1"
INT8_FORMAT = "audioseq/2"
"""Format of files with int8 weights, which earlier versions cannot read."""
MAX_HEADER_BYTES = 16 * 2**20
"""A file that declares a longer header is damaged or hostile."""
DAMAGE = (lzma.LZMAError, EOFError)
"""Errors of reading a compressed file that is damaged or truncated."""


@dataclass(frozen=True)
class Header:
    """The description of a model that its file contains."""

    task: str
    config: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    """Model card: data and licences, results, limits, seed, steps, hours, hardware."""
    format: str = FORMAT


def is_onnx(path: str | Path) -> bool:
    """Whether a path names an ONNX file."""
    return Path(path).suffix.lower() == ".onnx"


def read_header(path: str | Path, *, task: str | None = None) -> Header:
    """Read the header of a model file, or of an ONNX file exported from one, without torch and the weights.

    Args:
        path: the file to read.
        task: the task that the model must be made for, such as `speech`; any if not given.
    Raises:
        CheckpointError: the file is missing, damaged, not an audioseq model, made for another task, or in a
            newer format.
    """
    return parse_header(path, read_metadata(path), task)


def to_metadata(header: Header) -> dict[str, str]:
    """Return a header as texts by name, for a file."""
    return {name: _to_json(value) for name, value in asdict(header).items()} | {"format": header.format}


def is_compressed(path: str | Path) -> bool:
    """Whether a path names a compressed file."""
    return Path(path).suffix == ".xz"


def open_model(path: str | Path) -> BinaryIO:
    """Open a model file for reading; a compressed one is decompressed while it is read."""
    return cast(BinaryIO, lzma.open(path)) if is_compressed(path) else open(path, "rb")


def read_metadata(path: str | Path) -> dict[str, str]:
    """Read the metadata at the beginning of a safetensors or ONNX file, without the weights.

    Raises:
        CheckpointError: the file is missing or damaged, or is an ONNX file of another program.
    """
    with reading(path, CheckpointError):
        try:
            metadata = _onnx_metadata(path) if is_onnx(path) else _safetensors_metadata(path)
        except (*DAMAGE, ValueError, AttributeError, RecursionError) as error:
            raise damaged(path, error) from None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise damaged(path, "its metadata is not a table of strings")
    return metadata


def _safetensors_metadata(path: str | Path) -> Any:
    """Read the metadata of a safetensors file: 8 bytes with a length, then JSON of that length."""
    with open_model(path) as file:
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= MAX_HEADER_BYTES:
            raise damaged(path, "it is not a safetensors file")
        return json.loads(file.read(size)).get("__metadata__", {})


def _onnx_metadata(path: str | Path) -> dict[str, str]:
    from audioseq.runtime import onnx_format  # imports numpy

    with open(path, "rb") as file:
        metadata = onnx_format.read_metadata(file)
    if metadata is None:
        raise CheckpointError(
            f"{path}: is not an ONNX file of audioseq; write one with: "
            "audioseq models export MODEL --format onnx"
        )
    return metadata


def parse_header(path: str | Path, metadata: Mapping[str, str], required_task: str | None) -> Header:
    """Return the header in the metadata of a file; errors as in `read_header`."""
    form = metadata.get("format", "")
    if form not in (FORMAT, INT8_FORMAT):
        advice = "upgrade audioseq" if form.startswith("audioseq/") else "it is not an audioseq model"
        raise CheckpointError(f"{path}: has the format {form[:40]!r}, not {FORMAT!r}; {advice}")
    task = _json(path, metadata, "task")
    if not isinstance(task, str) or not (task.isascii() and task.isprintable()):
        raise damaged(path, "its task is not plain text")
    if required_task not in (None, task):
        raise CheckpointError(f"{path}: is a model for {task}, not for {required_task}; choose another model")
    config, features, tokenizer, card = (
        parse_table(path, metadata, name) for name in ("config", "features", "tokenizer", "card")
    )
    return Header(task, config, features, tokenizer, card, form)


def parse_table(path: str | Path, metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return a table that the metadata of a file contain as JSON; CheckpointError if there is none."""
    value = _json(path, metadata, name)
    if not isinstance(value, dict):
        raise damaged(path, f"its {name} is not a table")
    return value


def _json(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    try:
        value = json.loads(metadata[name])
        json.dumps(value, ensure_ascii=False).encode()  # or it could be neither printed nor stored again
        return value
    except (KeyError, ValueError, RecursionError):
        raise damaged(path, f"its {name} is missing or not JSON") from None


def _to_json(value: Any) -> str:
    """Return JSON; characters that are no Unicode, of a file name in the card for example, become `?`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def damaged(path: str | Path, reason: object) -> CheckpointError:
    """Return the error of a file with contents that no model file has."""
    text = str(reason).strip() or type(reason).__name__
    text = ascii(text.splitlines()[0][:120])[1:-1]  # a hostile file must not write control codes
    return CheckpointError(f"{path}: is damaged or not a model file ({text}); download or train it again")
