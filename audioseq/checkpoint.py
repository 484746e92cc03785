"""Model files (weights, config and tokenizer in one safetensors file) and training state.

A file whose name ends in `.xz` is compressed, which halves n-gram models but hardly shrinks networks.
"""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar, cast

from audioseq.errors import CheckpointError
from audioseq.files import reading, write_atomically, write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

M = TypeVar("M", bound="nn.Module")

FORMAT = "audioseq/1"
INT8_FORMAT = "audioseq/2"
"""Format of files with int8 weights, which earlier versions cannot read."""
SCALES = "//scale"
"""Suffix of the name of a tensor of scales: those of the int8 tensor with the name before it."""
MAX_PARAMETERS_PER_WEIGHT = 2
"""Parameters that a network may allocate per stored weight; tied weights are allocated twice."""
SMALL_NETWORK_PARAMETERS = 2**22
"""Parameters that any network may allocate in addition."""
MAX_HEADER_BYTES = 16 * 2**20
"""A file that announces a longer header is damaged or hostile."""
ALIASES = "aliases"
"""Metadata key of a table from the names of tied weights to the names that they are stored under."""
FORMER_MODULES = {"speech": {"speller": "p2g_decoder"}}
"""Modules that earlier versions stored under other names, by task; `load` returns their current names."""
Precision = Literal["fp32", "fp16", "int8"]
"""How weights are stored: unchanged, as fp16, or with the matrices as int8."""
MAX_COMPRESSION = 100
"""A model is not compressed further than this; a smaller file is meant to fill the memory."""
_DAMAGE = (lzma.LZMAError, EOFError)
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


@dataclass(frozen=True)
class Checkpoint:
    """A model file in memory."""

    path: str | Path
    """The file that it was read from."""
    header: Header
    arrays: dict[str, NDArray[Any]]
    """The weights; tied weights are the same array."""
    precision: Precision = "fp32"
    """How the weights are stored in the file."""

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights as tensors, which share the memory of the arrays."""
        import torch

        tensors = {id(array): torch.from_numpy(array) for array in self.arrays.values()}
        return {name: tensors[id(array)] for name, array in self.arrays.items()}

    def fill(self, network: nn.Module) -> None:
        """Load the weights into a network that was built from the config.

        Raises:
            CheckpointError: the names or the shapes of the weights do not match those of the network.
        """
        try:
            network.load_state_dict(self.weights)
        except RuntimeError as error:
            raise self.misfit() from error
        self.check_finite()

    def check_finite(self) -> None:
        """Raise a CheckpointError if there are weights that are NaN or infinite."""
        import numpy as np

        if not all(np.isfinite(array).all() for array in self.arrays.values()):
            raise _damaged(self.path, "its weights are not finite numbers")

    def restore(self, build: Callable[[], M]) -> M:
        """Build a network and load the weights into it.

        Raises:
            CheckpointError: the names or the shapes of the weights do not match those of the network, which
                may be too large for the memory.
        """
        from audioseq.nn.allocation import ParameterLimit

        stored = sum(weight.numel() for weight in self.weights.values())
        try:
            with ParameterLimit(MAX_PARAMETERS_PER_WEIGHT * stored + SMALL_NETWORK_PARAMETERS):
                network = build()
        except (RuntimeError, MemoryError) as error:
            raise self.misfit() from error
        self.fill(network)
        return network

    def misfit(self) -> CheckpointError:
        """Return the error of a file whose contents contradict each other."""
        return CheckpointError(
            f"{self.path}: its weights do not match its config; download or train it again"
        )


def is_onnx(path: str | Path) -> bool:
    """Whether a path names an ONNX file."""
    return Path(path).suffix.lower() == ".onnx"


def read_header(path: str | Path) -> Header:
    """Read the header of a model file, or of an ONNX file exported from one, without torch and the weights.

    Raises:
        CheckpointError: the file is missing, damaged, not an audioseq model, or in a newer format.
    """
    return _header(path, _metadata(path))


def to_metadata(header: Header) -> dict[str, str]:
    """Return a header as texts by name, for a file."""
    return {name: _to_json(value) for name, value in asdict(header).items()} | {"format": header.format}


def save(
    path: str | Path, weights: Mapping[str, Tensor], header: Header, *, precision: Precision = "fp32"
) -> None:
    """Write a model file atomically; equal models give equal files.

    Args:
        path: the file to write; it is compressed if its name ends in `.xz`.
        weights: the `state_dict()` of a model, on any device; tied weights are stored once.
        header: the description of the model; its values must be representable as JSON.
        precision: `fp16` stores floating-point tensors as fp16, which halves the file; a tensor with values
            beyond the range of fp16 keeps its type. `int8` stores matrices as int8 with a scale for each row,
            a quarter of the size; other tensors keep their type.
    Raises:
        FileError: the file cannot be written; an existing file is left unchanged.
    """
    import torch
    from safetensors.torch import save as to_bytes

    from audioseq.quantisation import is_quantisable, quantise

    stored: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, tensor in weights.items():
        key = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in seen:
            aliases[name] = seen[key]
            continue
        seen[key] = name
        # Clone: cuDNN keeps the weights of a layer as views of one storage, which safetensors refuses.
        tensor = tensor.detach().cpu().contiguous().clone()
        if precision == "int8" and tensor.is_floating_point() and is_quantisable(tensor.float().numpy()):
            integers, scales = quantise(tensor.float().numpy())
            stored[name], stored[name + SCALES] = torch.from_numpy(integers), torch.from_numpy(scales)
        elif precision == "fp16" and tensor.is_floating_point():
            stored[name] = _halve(tensor)
        else:
            stored[name] = tensor
    metadata = to_metadata(header) | {"format": INT8_FORMAT if precision == "int8" else FORMAT}
    if aliases:
        metadata[ALIASES] = json.dumps(aliases)
    content = to_bytes(stored, metadata)
    start = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8:start]), sort_keys=True).encode()  # safetensors orders it randomly
    text += b" " * (-len(text) % 8)
    parts: list[bytes | memoryview] = [len(text).to_bytes(8, "little"), text, memoryview(content)[start:]]
    if _compressed(path):
        parts = [lzma.compress(b"".join(parts))]
    write_atomically(path, lambda file: file.writelines(parts))


def load(path: str | Path, *, task: str | None = None) -> Checkpoint:
    """Load a model file without torch; nothing in it is executed, and no name in it is imported.

    Args:
        path: the file to read.
        task: the task that the model must be made for, such as `speech`; any if not given.
    Returns:
        the header, and the weights, with fp16 and int8 weights converted to fp32.
    Raises:
        CheckpointError: the file is missing, damaged, made for another task, or in a newer format.
    """
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    from audioseq.quantisation import dequantise, is_quantised

    if is_onnx(path):
        raise CheckpointError(
            f"{path}: is an ONNX file, which only transcribes; give the model file that it was exported from"
        )
    metadata = _metadata(path)
    header = _header(path, metadata)
    if task is not None and header.task != task:
        raise CheckpointError(f"{path}: is a model for {header.task}, not for {task}; choose another model")
    aliases = _table(path, metadata, ALIASES) if ALIASES in metadata else {}
    try:
        size = Path(path).stat().st_size
        limit = MAX_COMPRESSION * size if _compressed(path) else size
        with _open(path) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise _damaged(path, f"it decompresses to more than {MAX_COMPRESSION} times its size")
        arrays: dict[str, NDArray[Any]] = from_bytes(content)
    except (*_DAMAGE, SafetensorError, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise _damaged(path, error) from None  # numpy raises the last four for a hostile shape or dtype
    halves = {name for name, array in arrays.items() if array.dtype == np.float16}
    weights = {name: array.astype(np.float32) if name in halves else array for name, array in arrays.items()}
    scaled = [name.removesuffix(SCALES) for name in weights if name.endswith(SCALES)]
    for name in scaled:
        scales, integers = weights.pop(name + SCALES), weights.get(name)
        if integers is None or not is_quantised(integers, scales):
            raise _damaged(path, "its scales do not match its weights")
        weights[name] = dequantise(cast("NDArray[np.int8]", integers), scales)
    if not all(isinstance(name, str) and name in weights for name in aliases.values()):
        raise _damaged(path, "tied weights are missing")
    weights |= {alias: weights[name] for alias, name in aliases.items()}
    precision: Precision = "int8" if scaled else "fp16" if halves else "fp32"
    return Checkpoint(path, header, _rename_former(weights, header.task), precision)


def mean(models: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average the weights of several models, with one model in memory at a time.

    Integer tensors are those of the last model. Source: Izmailov et al. 2018, "Averaging weights leads to
    wider optima and better generalization".
    """
    average: dict[str, Tensor] = {}
    for count, weights in enumerate(models, 1):
        for name, value in weights.items():
            if name in average and value.is_floating_point():
                average[name] += (value - average[name]) / count
            else:
                average[name] = value.clone()
    return average


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write training state (tensors and plain values) atomically; FileError if it cannot be written."""
    import torch

    buffer = io.BytesIO()  # if torch wrote the file itself, a full disk would raise a RuntimeError
    torch.save(dict(state), buffer)
    write_bytes(path, buffer.getbuffer())


def load_state(path: str | Path) -> dict[str, Any]:
    """Load training state; only tensors and plain values are unpickled.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    import torch

    with reading(path, CheckpointError):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # of many types, IndexError and struct.error among them
            raise _damaged(path, error) from None
    if not isinstance(state, dict):
        raise _damaged(path, "it does not contain a table")
    return state


def _compressed(path: str | Path) -> bool:
    return Path(path).suffix == ".xz"


def _open(path: str | Path) -> BinaryIO:
    return cast(BinaryIO, lzma.open(path)) if _compressed(path) else open(path, "rb")


def _metadata(path: str | Path) -> dict[str, str]:
    """Read the metadata of a safetensors file: 8 bytes with a length, then JSON of that length.

    Those of an ONNX file are in its first bytes too.
    """
    with reading(path, CheckpointError):
        try:
            if is_onnx(path):
                from audioseq.runtime.onnx_format import read_metadata  # imports numpy

                with open(path, "rb") as file:
                    texts = read_metadata(file)
                if texts is None:
                    raise CheckpointError(
                        f"{path}: is not an ONNX file of audioseq; write one with: "
                        "audioseq models export MODEL --format onnx"
                    )
                return texts
            with _open(path) as file:
                size = int.from_bytes(file.read(8), "little")
                if not 2 <= size <= MAX_HEADER_BYTES:
                    raise _damaged(path, "it is not a safetensors file")
                metadata = json.loads(file.read(size)).get("__metadata__", {})
        except (*_DAMAGE, ValueError, AttributeError, RecursionError) as error:
            raise _damaged(path, error) from None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(path, "its metadata is not a table of strings")
    return metadata


def _header(path: str | Path, metadata: Mapping[str, str]) -> Header:
    form = metadata.get("format", "")
    if form not in (FORMAT, INT8_FORMAT):
        advice = "upgrade audioseq" if form.startswith("audioseq/") else "it is not an audioseq model"
        raise CheckpointError(f"{path}: has the format {form[:40]!r}, not {FORMAT!r}; {advice}")
    task = _json(path, metadata, "task")
    if not isinstance(task, str) or not (task.isascii() and task.isprintable()):
        raise _damaged(path, "its task is not plain text")
    config, features, tokenizer, card = (
        _table(path, metadata, name) for name in ("config", "features", "tokenizer", "card")
    )
    return Header(task, config, features, tokenizer, card, form)


def _table(path: str | Path, metadata: Mapping[str, str], name: str) -> dict[str, Any]:
    value = _json(path, metadata, name)
    if not isinstance(value, dict):
        raise _damaged(path, f"its {name} is not a table")
    return value


def _json(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    try:
        value = json.loads(metadata[name])
        json.dumps(
            value, ensure_ascii=False
        ).encode()  # otherwise it could be neither printed nor stored again
        return value
    except (KeyError, ValueError, RecursionError):
        raise _damaged(path, f"its {name} is missing or not JSON") from None


def _to_json(value: Any) -> str:
    """Return JSON; characters that are no Unicode, of a file name in the card for example, become `?`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _rename_former(weights: Mapping[str, NDArray[Any]], task: str) -> dict[str, NDArray[Any]]:
    names = FORMER_MODULES.get(task, {})
    parts = [(*name.partition("."), array) for name, array in weights.items()]
    return {names.get(module, module) + dot + rest: array for module, dot, rest, array in parts}


def _halve(tensor: Tensor) -> Tensor:
    half = tensor.half()
    return half if half.isinf().sum() == tensor.isinf().sum() else tensor


def _damaged(path: str | Path, reason: object) -> CheckpointError:
    text = str(reason).strip() or type(reason).__name__
    text = ascii(text.splitlines()[0][:120])[1:-1]  # a hostile file must not write control codes
    return CheckpointError(f"{path}: is damaged or not a model file ({text}); download or train it again")
