"""ONNX graphs of the shared layers: convolutions, recurrent stacks, linear layers and masks.

Each function of a layer adds its nodes to a graph and returns the name of its output. Names of weights are
those of the state dict of the torch layer. Padded batches are exact, as in torch: the recurrent operators of
ONNX take the length of each sequence, and read backward within it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq.quantisation import quantise
from audioseq.runtime import onnx_format
from audioseq.runtime.onnx_format import MICROSOFT, Attribute

Weights = Mapping[str, NDArray[np.float32]]

DIRECTIONS = "forward_layer.", "backward_layer."
"""Prefixes of the weights of the directions of a layer."""
NORM_EPSILON = 1e-5
"""Added to variances by layer norm, as in torch."""
ZERO = 128
"""Integer of a weight that is 0."""
_MICROSOFT_OPERATORS = {"DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "Gelu"}
"""Operators of ONNX Runtime that are not in the ONNX standard, or only in a later version."""
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
"""Order of the gates in ONNX, as indices into that of torch."""


def select(weights: Weights, prefix: str) -> dict[str, NDArray[np.float32]]:
    """Return the weights whose names start with a prefix, under the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}


class Graph:
    """An ONNX graph while it is built.

    Args:
        int8: whether LSTM and linear layers multiply 8-bit integers (dynamic quantisation): weights with a
            scale for each row, inputs with a scale for each call. Other layers stay in fp32.
    Example:
        >>> graph = Graph()
        >>> x = graph.input("x", "float32", ["T"])
        >>> graph.output("y", graph.op("Add", x, graph.constant(np.ones(1, np.float32))), "float32", ["T"])
        >>> len(graph.to_bytes({})) > 50
        True
    """

    def __init__(self, *, int8: bool = False) -> None:
        self.int8 = int8
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._small: dict[tuple[str, bytes, tuple[int, ...]], str] = {}
        self._count = 0

    def input(self, name: str, dtype: str, dims: Sequence[int | str]) -> str:
        """Add an input; a size that is a string is variable."""
        self._inputs.append(onnx_format.value_info(name, dtype, dims))
        return name

    def output(self, name: str, value: str, dtype: str, dims: Sequence[int | str]) -> None:
        """Name a value, which becomes an output."""
        self._nodes.append(onnx_format.node("Identity", [value], [name], "", {}))
        self._outputs.append(onnx_format.value_info(name, dtype, dims))

    def constant(self, value: NDArray[Any] | float | Sequence[int]) -> str:
        """Add a constant: an array, a number as fp32, or integers as int64."""
        if isinstance(value, np.ndarray):
            array = value
        else:
            array = np.array(value, np.float32 if isinstance(value, float) else np.int64)
        key = array.dtype.name, array.tobytes() if array.size < 9 else b"", array.shape
        if array.size < 9 and key in self._small:
            return self._small[key]
        name = self._new_name()
        self._constants.append(onnx_format.tensor(name, array))
        if array.size < 9:
            self._small[key] = name
        return name

    def op(self, operator: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator with attributes, and return the name of its first output."""
        return self.ops(operator, 1, *inputs, **attributes)[0]

    def ops(self, operator: str, count: int, *inputs: str, **attributes: Attribute) -> list[str]:
        """Apply an operator with attributes, and return the names of its first `count` outputs."""
        names = [self._new_name() for _ in range(count)]
        domain = MICROSOFT if operator in _MICROSOFT_OPERATORS else ""
        self._nodes.append(onnx_format.node(operator, inputs, names, domain, attributes))
        return names

    def to_bytes(self, metadata: Mapping[str, str]) -> bytes:
        """Return the content of an ONNX file with the graph and named texts."""
        return onnx_format.model(self._nodes, self._constants, self._inputs, self._outputs, metadata)

    def _new_name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def linear(graph: Graph, x: str, weights: Weights) -> str:
    """Map the last axis of `x` by a linear layer."""
    return _matmul(graph, x, weights["weight"], weights["bias"])


def layer_norm(graph: Graph, x: str, weights: Weights) -> str:
    """Normalise the last axis of `x`."""
    scale, bias = graph.constant(weights["weight"]), graph.constant(weights["bias"])
    return graph.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=NORM_EPSILON)


def mask(graph: Graph, x: str, lengths: str) -> str:
    """Return the mask of the valid frames of `x` `[B, T, ...]`: bool `[B, T]`."""
    frames = graph.op("Squeeze", graph.op("Shape", x, start=1, end=2))
    time = graph.op("Range", graph.constant(np.array(0)), frames, graph.constant(np.array(1)))
    return graph.op("Less", time, graph.op("Unsqueeze", lengths, graph.constant([1])))


def clear(graph: Graph, x: str, lengths: str) -> str:
    """Set the padding of `x` `[B, T, F]` to zero."""
    valid = graph.op("Unsqueeze", mask(graph, x, lengths), graph.constant([2]))
    return graph.op("Where", valid, x, graph.constant(0.0))


def log_softmax(graph: Graph, x: str) -> str:
    """Normalise the last axis of `x` to log-probabilities."""
    return graph.op("LogSoftmax", x, axis=-1)


def subsample(graph: Graph, x: str, lengths: str, weights: Weights) -> tuple[str, str]:
    """Reduce the frame rate as `audioseq.nn.Subsample`: `[B, T, F]` to `[B, T', C]`, and the valid frames."""
    x = clear(graph, x, lengths)
    for i in range(sum(name.startswith("norms.") and name.endswith(".weight") for name in weights)):
        layer = select(weights, f"convolutions.{i}.")
        x = graph.op("Transpose", x, perm=[0, 2, 1])
        kernel, bias = graph.constant(layer["weight"]), graph.constant(layer["bias"])
        padding = layer["weight"].shape[2] // 2
        x = graph.op("Conv", x, kernel, bias, strides=[2], pads=[padding, padding])
        x = layer_norm(graph, graph.op("Transpose", x, perm=[0, 2, 1]), select(weights, f"norms.{i}."))
        x = graph.op("Gelu", x)
        lengths = graph.op("Div", graph.op("Add", lengths, graph.constant([1])), graph.constant([2]))
        x = clear(graph, x, lengths)
    return x, lengths


def recurrent_stack(
    graph: Graph, x: str, lengths: str, weights: Weights, cell: str, *, residual: bool
) -> str:
    """Run a stack as `audioseq.nn.RecurrentStack` from the zero state: `[B, T, F]` to `[B, T, H]`."""
    valid_frames = graph.op("Cast", lengths, to=onnx_format.DATA_TYPES["int32"])

    def run(x: str, layer: Weights) -> str:
        parts = [select(layer, name) for name in DIRECTIONS[: _directions(layer)]]
        direction = "bidirectional" if len(parts) == 2 else "forward"
        (y,) = RecurrentOperator(graph, parts, cell, direction)(x, lengths=valid_frames)
        return directions_last(graph, y, parts[0]["weight_hh_l0"].shape[1] * len(parts))

    return clear(graph, run_layers(graph, x, weights, run, residual=residual), lengths)


def run_layers(
    graph: Graph, x: str, weights: Weights, run: Callable[[str, Weights], str], *, residual: bool
) -> str:
    """Connect the layers of a stack `[B, T, F]`; `run` adds a layer to `[T, B, F]`, given its weights."""
    y, i = graph.op("Transpose", x, perm=[1, 0, 2]), 0
    while layer := select(weights, f"layers.{i}."):
        before, size = y, layer["forward_layer.weight_ih_l0"].shape[1]
        y = run(y, layer)
        if norm := select(weights, f"norms.{i}."):
            y = layer_norm(graph, y, norm)
        if residual and size == layer["forward_layer.weight_hh_l0"].shape[1] * _directions(layer):
            y = graph.op("Add", before, y)
        i += 1
    return graph.op("Transpose", y, perm=[1, 0, 2])


def stack_frames(graph: Graph, x: str, lengths: str, size: int, width: int) -> tuple[str, str]:
    """Concatenate each group of `size` neighbouring frames of `[B, T, F]`; F is `width`."""
    frames, sizes = graph.op("Shape", x, start=1, end=2), graph.constant([size])
    rest = graph.op("Mod", graph.op("Neg", frames), sizes)  # has the sign of the divisor
    x = graph.op("Pad", x, _at_end_of_time(graph, rest))
    x = graph.op("Reshape", x, graph.constant([0, -1, width * size]))
    return x, graph.op("Div", graph.op("Add", lengths, graph.constant([size - 1])), sizes)


def _at_end_of_time(graph: Graph, count: str) -> str:
    """Return the paddings of `[B, T, F]` that add frames at the end."""
    return graph.op("Concat", graph.constant([0, 0, 0, 0]), count, graph.constant([0]), axis=0)


def _directions(layer: Weights) -> int:
    return 2 if f"{DIRECTIONS[1]}weight_ih_l0" in layer else 1


def directions_last(graph: Graph, y: str, size: int) -> str:
    """Turn outputs of a recurrent operator `[T, D, B, H]` to `[T, B, D H]`; D H is `size`."""
    return graph.op("Reshape", graph.op("Transpose", y, perm=[0, 2, 1, 3]), graph.constant([0, 0, size]))


class RecurrentOperator:
    """A recurrent operator with its weights, which can be applied several times.

    Args:
        graph: the graph.
        parts: weights of each direction.
        cell: as in `audioseq.nn`.
        direction: `forward`, `reverse` or `bidirectional`.
    """

    def __init__(self, graph: Graph, parts: Sequence[Weights], cell: str, direction: str) -> None:
        size = parts[0]["weight_hh_l0"].shape[1]
        rows = np.concatenate([np.arange(size) + gate * size for gate in _GATES[cell]])
        inputs, hidden, *biases = (
            np.stack([part[f"{name}_l0"][rows] for part in parts])
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        self._graph = graph
        self._options: dict[str, Attribute] = {"hidden_size": size, "direction": direction}
        self._scales: list[str] = []
        if cell == "lstm" and graph.int8:
            self._operator = "DynamicQuantizeLSTM"
            (w, *w_scale), (r, *r_scale) = _quantised(graph, inputs), _quantised(graph, hidden)
            self._scales = ["", *w_scale, *r_scale]  # after the peephole weights, which are missing
        else:
            self._operator = {"lstm": "LSTM", "gru": "GRU"}.get(cell, "RNN")
            w, r = graph.constant(inputs), graph.constant(hidden)
        if cell == "gru":
            self._options["linear_before_reset"] = 1
        elif cell != "lstm":
            self._options["activations"] = ["Tanh" if cell == "rnn_tanh" else "Relu"] * len(parts)
        self._weights = [w, r, graph.constant(np.concatenate(biases, axis=1))]

    def __call__(
        self, x: str, *, lengths: str = "", state: Sequence[str] = (), outputs: int = 1
    ) -> list[str]:
        """Apply the operator to `[T, B, F]`; return the first of its outputs `[T, D, B, H]`, h and c."""
        initial = state if not self._scales else [*state, *[""] * (2 - len(state))]
        inputs = [x, *self._weights, lengths, *initial, *self._scales]
        while not inputs[-1]:
            inputs.pop()
        return self._graph.ops(self._operator, outputs, *inputs, **self._options)


def _quantised(graph: Graph, weights: NDArray[np.float32]) -> tuple[str, str, str]:
    """Add weights `[..., G, F]` as integers `[..., F, G]`; return them, their scales and zeros.

    The integers are unsigned: processors without VNNI instructions add products of unsigned inputs and signed
    weights with saturation, which changed probabilities of english-small by up to 0.6.
    """
    integers, scales = quantise(weights.reshape(-1, weights.shape[-1]))
    unsigned = (integers.astype(np.int16) + ZERO).astype(np.uint8).reshape(weights.shape).swapaxes(-1, -2)
    rows = weights.shape[:-1]
    zeros = np.full(rows, ZERO, np.uint8)
    return graph.constant(unsigned), graph.constant(scales.reshape(rows)), graph.constant(zeros)


def _matmul(graph: Graph, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
    if not graph.int8:
        return graph.op("Add", graph.op("MatMul", x, graph.constant(weight.T)), graph.constant(bias))
    return graph.op("DynamicQuantizeMatMul", x, *_quantised(graph, weight), graph.constant(bias))
