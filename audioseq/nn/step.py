"""Single steps of a recurrent stack on the CPU in numpy, for generation one frame at a time.

For one frame of a small batch, the overhead of torch modules exceeds their arithmetic. Here one step of a
layer is one matrix product, of the concatenated input and output with the concatenated weights, and a few
numpy calls. A sigmoid is a tanh, σ(x) = (1 + tanh(x / 2)) / 2, so one call computes all gates. A step is then
bound by reading the weights; weights of a model stored in fp16 take half the bytes, see `affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from audioseq.nn.cells import GATES
from audioseq.nn.recurrent import CellName, Recurrent, RecurrentStack, State

ArrayState = tuple[np.ndarray, ...]
"""State of a layer as arrays: (h,) `[B, H]`, or (h, c) for an LSTM."""
_Map = Callable[[np.ndarray], np.ndarray]
_Cell = Callable[..., ArrayState]


class StackStep:
    """Step function of a unidirectional stack without dropout; copies the weights once.

    The outputs equal those of the stack up to rounding.

    Args:
        stack: stack on any device.
    Raises:
        ValueError: the stack is bidirectional.
    Example:
        >>> step = StackStep(RecurrentStack("lstm", 3, 4, num_layers=2))
        >>> y, states = step(np.zeros((1, 3), np.float32), step.initial_states(1))
        >>> y.shape, len(states), states[0][1].shape
        ((1, 4), 2, (1, 4))
    """

    def __init__(self, stack: RecurrentStack) -> None:
        layers = cast(Sequence[Recurrent], stack.layers)
        if any(layer.backward_layer is not None for layer in layers):
            raise ValueError("StackStep: the stack is bidirectional; pass a unidirectional one")
        self._cells = [_CELLS[layer.cell](layer.forward_layer) for layer in layers]
        self._norms = [_norm(norm) for norm in cast(Sequence[nn.LayerNorm], stack.norms)]
        self._residual = stack.residual
        zeros = np.zeros_like(_weights(layers[0].forward_layer)[1][:1])
        self._zeros = [(zeros, zeros) if layer.cell == "lstm" else (zeros,) for layer in layers]

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


def to_array(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor on any device as an array."""
    return np.asarray(tensor.detach().cpu().numpy())


def to_array_states(states: Sequence[State]) -> list[ArrayState]:
    """Convert the states of a stack's layers to arrays for `StackStep`."""
    return [tuple(map(to_array, (state,) if isinstance(state, Tensor) else state)) for state in states]


def affine(weight: np.ndarray, bias: np.ndarray) -> _Map:
    """Return a function that maps rows x `[B, F]` to x W + b `[B, G]`, for large weights.

    Where FBGEMM is available (x86), fp32 weights that fp16 represents exactly are stored in fp16. Products
    and sums are in fp32, so the result is the same up to rounding.

    Args:
        weight: W `[F, G]`.
        bias: b `[G]`.
    """
    tensor = torch.from_numpy(weight.T).contiguous()
    exact = tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor)
    if not exact or torch.backends.quantized.engine not in ("x86", "fbgemm"):
        weight = np.ascontiguousarray(weight)
        return lambda x: x @ weight + bias
    packed = torch.ops.quantized.linear_prepack_fp16(tensor, torch.from_numpy(bias))
    multiply = torch.ops.quantized.linear_dynamic_fp16
    return lambda x: multiply(torch.from_numpy(x), packed).numpy()


def _rnn(layer: nn.RNNBase, activation: _Map) -> _Cell:
    preactivation = _fused_affine(layer)
    return lambda x, h: (activation(preactivation(np.concatenate((x, h), axis=1))),)


def _gru(layer: nn.RNNBase) -> _Cell:
    w_ih, w_hh, b_ih, b_hh = _weights(layer)
    map_x, map_h, size = affine(w_ih.T, b_ih), affine(w_hh.T, b_hh), layer.hidden_size

    def step(x: np.ndarray, h: np.ndarray) -> ArrayState:
        from_x, from_h = map_x(x), map_h(h)
        gates = np.tanh((from_x[:, : 2 * size] + from_h[:, : 2 * size]) * 0.5) * 0.5 + 0.5
        candidate = np.tanh(from_x[:, 2 * size :] + gates[:, :size] * from_h[:, 2 * size :])
        return (candidate + gates[:, size:] * (h - candidate),)

    return step


def _lstm(layer: nn.RNNBase) -> _Cell:
    preactivation, size = _fused_affine(layer), layer.hidden_size
    # tanh(x) for the candidate, and tanh(x / 2) / 2 + 1 / 2 = σ(x) for the gates.
    is_candidate = np.array([gate == "candidate" for gate in GATES["lstm"]]).repeat(size)
    dtype = _weights(layer)[0].dtype
    scale, shift = (np.where(is_candidate, *pair).astype(dtype) for pair in ((1, 0.5), (0, 0.5)))

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> ArrayState:
        gates = np.tanh(preactivation(np.concatenate((x, h), axis=1)) * scale) * scale + shift
        input_gate, forget_gate, candidate, output_gate = gates.reshape(-1, 4, size).swapaxes(0, 1)
        c = forget_gate * c + input_gate * candidate
        return output_gate * np.tanh(c), c

    return step


_CELLS: dict[CellName, Callable[[nn.RNNBase], _Cell]] = {
    "rnn_tanh": partial(_rnn, activation=np.tanh),
    "rnn_relu": partial(_rnn, activation=lambda x: np.maximum(x, 0)),
    "gru": _gru,
    "lstm": _lstm,
}


def _weights(layer: nn.RNNBase) -> list[np.ndarray]:
    """Return the input weights `[G H, F]`, the recurrent weights `[G H, H]` and their biases `[G H]`."""
    return [to_array(tensor) for tensor in cast(list[Tensor], layer.all_weights[0])]


def _fused_affine(layer: nn.RNNBase) -> _Map:
    """Return the map from the concatenated input and output to the preactivations of all gates."""
    w_ih, w_hh, b_ih, b_hh = _weights(layer)
    return affine(np.concatenate((w_ih, w_hh), axis=1).T, b_ih + b_hh)


def _norm(layer: nn.LayerNorm) -> Callable[[np.ndarray], np.ndarray]:
    weight, bias, epsilon = to_array(layer.weight), to_array(layer.bias), layer.eps
    size = len(weight)

    def norm(x: np.ndarray) -> np.ndarray:
        centred = x - np.add.reduce(x, axis=1, keepdims=True) / size
        centred /= np.sqrt(np.einsum("bh,bh->b", centred, centred)[:, None] / size + epsilon)
        centred *= weight
        centred += bias
        return centred

    return norm
