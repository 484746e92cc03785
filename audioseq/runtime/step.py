"""Single steps of a recurrent stack on the CPU in NumPy, for generation one frame at a time.

For one frame of a small batch, the overhead of torch modules exceeds their arithmetic. Here one step of a
layer is one matrix product, of the concatenated input and output with the concatenated weights, and a few
numpy calls. A sigmoid is a tanh, σ(x) = (1 + tanh(x / 2)) / 2, so one call computes all gates. A step is then
bound by reading the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from audioseq.runtime.graph import NORM_EPSILON, select

ArrayState = tuple[np.ndarray, ...]
"""State of a layer as arrays: (h,) `[B, H]`, or (h, c) for an LSTM."""
Map = Callable[[np.ndarray], np.ndarray]
_Layer = Mapping[str, np.ndarray]
_Cell = Callable[..., ArrayState]


def fuse(weights: _Layer, cell: str) -> dict[str, np.ndarray]:
    """Return the weights of a stack as `StackStep` multiplies by them.

    Args:
        weights: the state dict of the stack, as arrays.
        cell: recurrent cell of all layers.
    Returns:
        of layer 0, and so on: `0.weight` `[F + H, G]` and `0.bias` `[G]` for the concatenated input and
        output, of a GRU for each of them: `0.weight_x`, `0.bias_x` and `0.weight_h`, `0.bias_h`; with
        normalisation also `0.norm.weight` and `0.norm.bias` `[H]`.
    Raises:
        ValueError: the stack is bidirectional.
    """
    if any(name.startswith("layers.0.backward_layer.") for name in weights):
        raise ValueError("fuse: the stack is bidirectional; pass a unidirectional one")
    fused: dict[str, np.ndarray] = {}
    number = 0
    while layer := select(weights, f"layers.{number}.forward_layer."):
        w, u, b, c = (layer[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        if cell == "gru":
            parts = {"weight_x": w.T, "bias_x": b, "weight_h": u.T, "bias_h": c}
        else:
            parts = {"weight": np.concatenate((w, u), axis=1).T, "bias": b + c}
        parts |= {f"norm.{name}": array for name, array in select(weights, f"norms.{number}.").items()}
        fused |= {f"{number}.{name}": np.ascontiguousarray(array) for name, array in parts.items()}
        number += 1
    return fused


class StackStep:
    """Step function of a unidirectional `audioseq.nn.RecurrentStack`.

    The outputs equal those of the stack up to rounding.

    Args:
        weights: weights from `fuse`.
        cell: recurrent cell of all layers.
        residual: whether the stack has residual connections.
    Example:
        >>> names = {"weight_ih": (16, 3), "weight_hh": (16, 4), "bias_ih": (16,), "bias_hh": (16,)}
        >>> weights = {f"layers.0.forward_layer.{name}_l0": np.ones(names[name]) for name in names}
        >>> step = StackStep(fuse(weights, "lstm"), "lstm")
        >>> y, states = step(np.zeros((1, 3), np.float32), step.initial_states(1))
        >>> y.shape, len(states), states[0][1].shape
        ((1, 4), 1, (1, 4))
    """

    def __init__(self, weights: _Layer, cell: str, *, residual: bool = False) -> None:
        layers: list[_Layer] = []
        while layer := select(weights, f"{len(layers)}."):
            layers.append(layer)
        self._cells = [_CELLS[cell](layer) for layer in layers]
        self._norms = [_norm(norm) for layer in layers if (norm := select(layer, "norm."))]
        self._residual = residual
        biases = layers[0]["bias"] if "bias" in layers[0] else layers[0]["bias_h"]
        zeros = np.zeros((1, len(biases) // _GATES[cell]), biases.dtype)
        self._zeros = [(zeros, zeros) if cell == "lstm" else (zeros,)] * len(layers)

    def __call__(self, x: np.ndarray, states: Sequence[ArrayState]) -> tuple[np.ndarray, list[ArrayState]]:
        """Process one frame of each sequence.

        Args:
            x: input `[B, F]` with the dtype of the weights.
            states: state of each layer after the preceding frames; not modified.
        Returns:
            outputs `[B, H]`, and the new state of each layer.
        """
        after = []
        for i, (cell, state) in enumerate(zip(self._cells, states, strict=True)):
            after.append(cell(x, *state))
            y = self._norms[i](after[-1][0]) if self._norms else after[-1][0]
            x = x + y if self._residual and x.shape == y.shape else y
        return x, after

    def initial_states(self, rows: int) -> list[ArrayState]:
        """Return the zero state of each layer for a batch of `rows` sequences."""
        return [tuple(part.repeat(rows, axis=0) for part in state) for state in self._zeros]


def _rnn(layer: _Layer, activation: Map) -> _Cell:
    weight, bias = layer["weight"], layer["bias"]
    return lambda x, h: (activation(np.concatenate((x, h), axis=1) @ weight + bias),)


def _gru(layer: _Layer) -> _Cell:
    weight_x, bias_x, weight_h, bias_h = (
        layer[name] for name in ("weight_x", "bias_x", "weight_h", "bias_h")
    )
    size = len(weight_h)

    def step(x: np.ndarray, h: np.ndarray) -> ArrayState:
        from_x, from_h = x @ weight_x + bias_x, h @ weight_h + bias_h
        gates = np.tanh((from_x[:, : 2 * size] + from_h[:, : 2 * size]) * 0.5) * 0.5 + 0.5
        candidate = np.tanh(from_x[:, 2 * size :] + gates[:, :size] * from_h[:, 2 * size :])
        return (candidate + gates[:, size:] * (h - candidate),)

    return step


def _lstm(layer: _Layer) -> _Cell:
    weight, bias = layer["weight"], layer["bias"]
    size = len(bias) // 4
    # tanh(x) for the candidate, and tanh(x / 2) / 2 + 1 / 2 = σ(x) for the gates.
    is_candidate = np.array([False, False, True, False]).repeat(size)  # input, forget, candidate, output
    scale, shift = (np.where(is_candidate, *pair).astype(bias.dtype) for pair in ((1, 0.5), (0, 0.5)))

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> ArrayState:
        gates = np.tanh((np.concatenate((x, h), axis=1) @ weight + bias) * scale) * scale + shift
        input_gate, forget_gate, candidate, output_gate = gates.reshape(-1, 4, size).swapaxes(0, 1)
        c = forget_gate * c + input_gate * candidate
        return output_gate * np.tanh(c), c

    return step


_CELLS: dict[str, Callable[[_Layer], _Cell]] = {
    "rnn_tanh": partial(_rnn, activation=np.tanh),
    "rnn_relu": partial(_rnn, activation=lambda x: np.maximum(x, 0)),
    "gru": _gru,
    "lstm": _lstm,
}
_GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}


def _norm(layer: _Layer) -> Map:
    weight, bias = layer["weight"], layer["bias"]
    size = len(weight)

    def norm(x: np.ndarray) -> np.ndarray:
        centred = x - np.add.reduce(x, axis=1, keepdims=True) / size
        centred /= np.sqrt(np.einsum("bh,bh->b", centred, centred)[:, None] / size + NORM_EPSILON)
        centred *= weight
        centred += bias
        return centred

    return norm
