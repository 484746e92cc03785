"""Model files: weights and everything needed to use them in one safetensors file, and training state beside it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from audioseq.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "audioseq/1"
LARGEST_HEADER = 16 * 2**20
"""Bytes; a file that announces a larger header is damaged or hostile."""
ALIASES = "aliases"
"""Metadata key: names of tied weights, each with the name it is stored under."""


@dataclass(frozen=True)
class Header:
    """What a model file says about its model."""

    task: str
    config: dict[str, Any] = field(default_factory=dict)
    features: dict[str, Any] = field(default_factory=dict)
    tokenizer: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    """Data and licences, results, limits, seed, steps, hours, hardware."""
    format: str = FORMAT


@dataclass(frozen=True)
class Checkpoint:
    """A model file in memory."""

    header: Header
    weights: dict[str, Tensor]


def read_header(path: str | Path) -> Header:
    """Read what a model file says about itself, without torch and without its weights.

    Raises:
        CheckpointError: the file is missing, damaged, not of this program, or of a newer version of it.
    """
    return _header(path, _metadata(path))


def save(path: str | Path, weights: Mapping[str, Tensor], header: Header, *, half: bool = False) -> None:
    """Write a model file, whole or not at all.

    Args:
        weights: a model's `state_dict()`, on any device; tied weights are stored once.
        header: what to say about the model; plain values that JSON can hold.
        half: store floating-point weights as fp16, which halves the file.
    Raises:
        CheckpointError: the file cannot be written; the one that was there is left as it was.
    """
    import torch
    from safetensors.torch import save as to_bytes

    stored: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, tensor in weights.items():
        key = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in seen:
            aliases[name] = seen[key]
            continue
        seen[key] = name
        # A clone: cuDNN keeps all weights of a layer as views of one storage, which safetensors refuses.
        tensor = tensor.detach().cpu().contiguous().clone()
        stored[name] = tensor.to(torch.float16) if half and tensor.is_floating_point() else tensor
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in asdict(header).items()}
    metadata["format"] = header.format
    if aliases:
        metadata[ALIASES] = json.dumps(aliases)
    content = to_bytes(stored, metadata)
    write_atomically(path, lambda file: file.write(content))


def load(path: str | Path, *, task: str | None = None) -> Checkpoint:
    """Read a model file; nothing in it is executed, and no name in it is imported.

    Args:
        task: what the model must be for, such as `speech`.
    Returns:
        the header and the weights, fp16 ones as fp32, on the CPU.
    Raises:
        CheckpointError: the file is missing, damaged, of another task, or of a newer version of the program.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    metadata = _metadata(path)
    header = _header(path, metadata)
    if task is not None and header.task != task:
        raise CheckpointError(f"{path}: is a model for {header.task}, not for {task}; choose another model")
    try:
        weights = load_file(path)
        aliases: dict[str, str] = json.loads(metadata.get(ALIASES, "{}"))
        weights |= {name: weights[original] for name, original in aliases.items()}
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from None
    return Checkpoint(
        header, {name: t.float() if t.dtype == torch.float16 else t for name, t in weights.items()}
    )


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write training state (tensors and plain values), whole or not at all."""
    import torch

    write_atomically(path, lambda file: torch.save(dict(state), file))


def load_state(path: str | Path) -> dict[str, Any]:
    """Read training state; only tensors and plain values are ever made of it.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from None
    if not isinstance(state, dict):
        raise _damaged(path, "holds no table")
    return state


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name, and give it its name when it is safely on disk.

    Raises:
        CheckpointError: it cannot be written; the file that was there is left as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch.save turns a full disk into a RuntimeError
        cause = error if isinstance(error, OSError) else error.__context__ or error
        full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        said = (cause.strerror if isinstance(cause, OSError) else None) or str(cause).splitlines()[0]
        advice = "free some space" if full else "check that the folder exists and may be written to"
        raise CheckpointError(f"{path}: cannot be written ({said}); {advice}") from None


def _metadata(path: str | Path) -> dict[str, str]:
    """Read the metadata of a safetensors file: a length (8 bytes), and so many bytes of JSON."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= LARGEST_HEADER:
                raise _damaged(path, "it does not begin as a safetensors file does")
            text = file.read(size)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    try:
        metadata = json.loads(text).get("__metadata__", {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, error) from None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its metadata is no table of strings")
    return metadata


def _header(path: str | Path, metadata: Mapping[str, str]) -> Header:
    form = metadata.get("format", "")
    if form != FORMAT:
        advice = "upgrade audioseq" if form.startswith("audioseq/") else "it is no model of audioseq"
        raise CheckpointError(f"{path}: has the format {form[:40]!r}, not {FORMAT!r}; {advice}")
    try:
        task = json.loads(metadata["task"])
        tables = {f.name: json.loads(metadata[f.name]) for f in fields(Header) if f.name not in ("task", "format")}
    except (KeyError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None
    if not isinstance(task, str) or not all(isinstance(table, dict) for table in tables.values()):
        raise _damaged(path, "its metadata has values of the wrong kind")
    return Header(task=task, **tables)


def _damaged(path: str | Path, reason: object) -> CheckpointError:
    said = str(reason).splitlines()[0][:120] if str(reason) else type(reason).__name__
    return CheckpointError(f"{path}: is damaged or no model file ({said}); get or train it again")
