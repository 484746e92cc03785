"""Model files: weights and all that is needed to use them, in one safetensors file; and training state.

A file whose name ends in `.xz` is compressed: n-gram models become half as large, others hardly smaller.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from audioseq.errors import CheckpointError
from audioseq.files import write_atomically

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT = "audioseq/1"
LARGEST_HEADER = 16 * 2**20
"""Bytes; a file that announces a larger header is damaged or hostile."""
ALIASES = "aliases"
"""Metadata key: names of tied weights, each with the name it is stored under."""
_DAMAGE = (lzma.LZMAError, EOFError)
"""What a compressed file that is damaged or cut off raises."""


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
    half: bool = False
    """Whether some of them were stored as fp16."""

    def fill(self, network: nn.Module, name: str | Path) -> None:
        """Give the weights to a network that was built by the config.

        Args:
            name: what to call the model where they do not fit.
        Raises:
            CheckpointError: their names or shapes are others.
        """
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"{name}: its weights do not fit its config; get or train it again"
            ) from error


def read_header(path: str | Path) -> Header:
    """Read what a model file says about itself, without torch and without its weights.

    Raises:
        CheckpointError: the file is missing, damaged, not of this program, or of a newer version of it.
    """
    return _header(path, _metadata(path))


def save(path: str | Path, weights: Mapping[str, Tensor], header: Header, *, half: bool = False) -> None:
    """Write a model file, whole or not at all; equal models give equal files.

    Args:
        weights: a model's `state_dict()`, on any device; tied weights are stored once.
        header: what to say about the model; plain values that JSON can hold.
        half: store floating-point weights as fp16, which halves the file, but for those beyond its range.
    Raises:
        CheckpointError: the file cannot be written; the one that was there is left as it was.
    """
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
        stored[name] = _halve(tensor) if half and tensor.is_floating_point() else tensor
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in asdict(header).items()}
    metadata["format"] = header.format
    if aliases:
        metadata[ALIASES] = json.dumps(aliases)
    content = to_bytes(stored, metadata)
    start = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8:start]), sort_keys=True).encode()  # it came in random order
    text += b" " * (-len(text) % 8)
    parts: list[bytes | memoryview] = [len(text).to_bytes(8, "little"), text, memoryview(content)[start:]]
    if _compressed(path):
        parts = [lzma.compress(b"".join(parts))]
    write_atomically(path, lambda file: file.writelines(parts))


def load(path: str | Path, *, task: str | None = None) -> Checkpoint:
    """Read a model file; nothing in it is executed, and no name in it is imported.

    Args:
        task: what the model must be for, such as `speech`.
    Returns:
        the header and the weights, fp16 ones as fp32, on the CPU.
    Raises:
        CheckpointError: the file is missing, damaged, of another task, or of a newer version of the program.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes
    from safetensors.torch import load_file

    metadata = _metadata(path)
    header = _header(path, metadata)
    if task is not None and header.task != task:
        raise CheckpointError(f"{path}: is a model for {header.task}, not for {task}; choose another model")
    aliases = _table(path, metadata, ALIASES) if ALIASES in metadata else {}
    try:
        if _compressed(path):
            with _open(path) as file:
                mapped = from_bytes(file.read())
        else:
            mapped = load_file(path)
    except (*_DAMAGE, SafetensorError, OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from None  # torch raises the latter ones for a hostile shape or dtype
    halves = {name for name, tensor in mapped.items() if tensor.itemsize == 2 and tensor.is_floating_point()}
    # Copies: what is mapped would change with the file.
    weights = {name: tensor.float() if name in halves else tensor.clone() for name, tensor in mapped.items()}
    if not all(isinstance(name, str) and name in weights for name in aliases.values()):
        raise _damaged(path, "tied weights are missing")
    weights |= {alias: weights[name] for alias, name in aliases.items()}
    return Checkpoint(header, weights, half=bool(halves))


def mean(models: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of the weights of models, one in memory at a time.

    What is no floating-point number is the last one's. Source: Izmailov et al. 2018, "Averaging weights leads
    to wider optima and better generalization".
    """
    found: dict[str, Tensor] = {}
    for count, weights in enumerate(models, 1):
        for name, value in weights.items():
            if name in found and value.is_floating_point():
                found[name] += (value - found[name]) / count
            else:
                found[name] = value.clone()
    return found


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write training state (tensors and plain values), whole or not at all."""
    import torch

    buffer = io.BytesIO()  # written by torch itself, a full disk would be some RuntimeError
    torch.save(dict(state), buffer)
    write_atomically(path, lambda file: file.write(buffer.getbuffer()))


def load_state(path: str | Path) -> dict[str, Any]:
    """Read training state; only tensors and plain values are ever made of it.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except Exception as error:  # of many kinds, IndexError and struct.error among them
        raise _damaged(path, error) from None
    if not isinstance(state, dict):
        raise _damaged(path, "holds no table")
    return state


def _compressed(path: str | Path) -> bool:
    return Path(path).suffix == ".xz"


def _open(path: str | Path) -> BinaryIO:
    return cast(BinaryIO, lzma.open(path)) if _compressed(path) else open(path, "rb")


def _metadata(path: str | Path) -> dict[str, str]:
    """Read the metadata of a safetensors file: a length (8 bytes), and so many bytes of JSON."""
    try:
        with _open(path) as file:
            size = int.from_bytes(file.read(8), "little")
            if not 2 <= size <= LARGEST_HEADER:
                raise _damaged(path, "it does not begin as a safetensors file does")
            text = file.read(size)
    except _DAMAGE as error:
        raise _damaged(path, error) from None
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
    task = _json(path, metadata, "task")
    if not isinstance(task, str) or not (task.isascii() and task.isprintable()):
        raise _damaged(path, "its task is no plain text")
    config, features, tokenizer, card = (
        _table(path, metadata, name) for name in ("config", "features", "tokenizer", "card")
    )
    return Header(task, config, features, tokenizer, card)


def _table(path: str | Path, metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    value = _json(path, metadata, name)
    if not isinstance(value, dict):
        raise _damaged(path, f"its {name} is no table")
    return value


def _json(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    try:
        return json.loads(metadata[name])
    except (KeyError, ValueError, RecursionError):
        raise _damaged(path, f"its {name} is missing or no JSON") from None


def _halve(tensor: Tensor) -> Tensor:
    half = tensor.half()
    return half if half.isinf().sum() == tensor.isinf().sum() else tensor


def _damaged(path: str | Path, reason: object) -> CheckpointError:
    said = str(reason).strip() or type(reason).__name__
    said = ascii(said.splitlines()[0][:120])[1:-1]  # a hostile file does not get to write to the terminal
    return CheckpointError(f"{path}: is damaged or no model file ({said}); get or train it again")
