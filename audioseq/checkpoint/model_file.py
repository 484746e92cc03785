"""Model files: weights, config and tokenizer in one safetensors file, which is written and read here.

A file whose name ends in `.xz` is compressed, which halves n-gram models but hardly shrinks networks.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from audioseq.checkpoint.header import (
    DAMAGE,
    FORMAT,
    INT8_FORMAT,
    Header,
    damaged,
    is_compressed,
    is_onnx,
    open_model,
    parse_header,
    parse_table,
    read_metadata,
    to_metadata,
)
from audioseq.errors import CheckpointError
from audioseq.files import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

M = TypeVar("M", bound="nn.Module")

SCALES = "//scale"
"""Suffix of the name of a tensor of scales: those of the int8 tensor with the name before it."""
MAX_PARAMETERS_PER_WEIGHT = 2
"""Parameters that a network may allocate per stored weight; tied weights are allocated twice."""
SMALL_NETWORK_PARAMETERS = 2**22
"""Parameters that any network may allocate in addition."""
ALIASES = "aliases"
"""Metadata key of a table from the names of tied weights to the names that they are stored under."""
FORMER_MODULES = {"speech": {"speller": "p2g_decoder"}}
"""Modules that earlier versions stored under other names, by task; `load` returns their current names."""
Precision = Literal["fp32", "fp16", "int8"]
"""How weights are stored: unchanged, as fp16, or with the matrices as int8."""
MAX_COMPRESSION = 100
"""A model is not compressed further than this; a smaller file is meant to fill the memory."""


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
            raise damaged(self.path, "its weights are not finite numbers")

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
    if is_compressed(path):
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
    metadata = read_metadata(path)
    header = parse_header(path, metadata, task)
    aliases = parse_table(path, metadata, ALIASES) if ALIASES in metadata else {}
    try:
        size = Path(path).stat().st_size
        limit = MAX_COMPRESSION * size if is_compressed(path) else size
        with open_model(path) as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise damaged(path, f"it decompresses to more than {MAX_COMPRESSION} times its size")
        arrays: dict[str, NDArray[Any]] = from_bytes(content)
    except (*DAMAGE, SafetensorError, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise damaged(path, error) from None  # numpy raises the last four for a hostile shape or dtype
    halves = {name for name, array in arrays.items() if array.dtype == np.float16}
    weights = {name: array.astype(np.float32) if name in halves else array for name, array in arrays.items()}
    scaled = [name.removesuffix(SCALES) for name in weights if name.endswith(SCALES)]
    for name in scaled:
        scales, integers = weights.pop(name + SCALES), weights.get(name)
        if integers is None or not is_quantised(integers, scales):
            raise damaged(path, "its scales do not match its weights")
        weights[name] = dequantise(cast("NDArray[np.int8]", integers), scales)
    if not all(isinstance(name, str) and name in weights for name in aliases.values()):
        raise damaged(path, "tied weights are missing")
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


def _rename_former(weights: Mapping[str, NDArray[Any]], task: str) -> dict[str, NDArray[Any]]:
    names = FORMER_MODULES.get(task, {})
    parts = [(*name.partition("."), array) for name, array in weights.items()]
    return {names.get(module, module) + dot + rest: array for module, dot, rest, array in parts}


def _halve(tensor: Tensor) -> Tensor:
    half = tensor.half()
    return half if half.isinf().sum() == tensor.isinf().sum() else tensor
