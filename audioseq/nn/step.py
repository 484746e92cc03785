"""A recurrent stack one frame at a time, on the processor: for what grows by a frame a call.

For one frame of a few rows, the calls of torch's modules take longer than their arithmetic. Here a step of a
layer is one product, of input and output side by side with both weights, and a handful of calls of numpy. A
sigmoid is a tanh, σ(x) = (1 + tanh(x / 2)) / 2, so one call serves all gates. What then bounds a step is how
fast the weights are read; those of a model that was stored in fp16 are kept in half the bytes, see `affine`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from audioseq.nn.cells import GATES
from audioseq.nn.recurrent import CellName, Recurrent, RecurrentStack, State

Memory = tuple[np.ndarray, ...]
"""What a layer remembers: h `[B, H]`, and of an LSTM then c."""
_Map = Callable[[np.ndarray], np.ndarray]
_Cell = Callable[..., Memory]


class StackStep:
    """One step of a stack that reads forward, without dropout; its weights are copied, once.

    Args:
        stack: gives the same outputs, but for rounding; on any device.
    Raises:
        ValueError: the stack is bidirectional.
    Example:
        >>> step = StackStep(RecurrentStack("lstm", 3, 4, num_layers=2))
        >>> y, memories = step(np.zeros((1, 3), np.float32), step.start(1))
        >>> y.shape, len(memories), memories[0][1].shape
        ((1, 4), 2, (1, 4))
    """

    def __init__(self, stack: RecurrentStack) -> None:
        layers = cast(Sequence[Recurrent], stack.layers)
        if any(layer.backward_layer is not None for layer in layers):
            raise ValueError("a bidirectional stack cannot go step by step: it reads from both ends")
        self._cells = [_CELLS[layer.cell](layer.forward_layer) for layer in layers]
        self._norms = [_norm(norm) for norm in cast(Sequence[nn.LayerNorm], stack.norms)]
        self._residual = stack.residual
        zeros = np.zeros_like(_weights(layers[0].forward_layer)[1][:1])
        self._start = [(zeros, zeros) if layer.cell == "lstm" else (zeros,) for layer in layers]

    def __call__(self, x: np.ndarray, memories: Sequence[Memory]) -> tuple[np.ndarray, list[Memory]]:
        """Take a frame of each row.

        Args:
            x: `[B, F]`, of the type of the weights.
            memories: of each layer, after the frames before.
        Returns:
            outputs `[B, H]`, and the memories to go on from; what was given stays as it is.
        """
        after = []
        for i, (cell, memory) in enumerate(zip(self._cells, memories, strict=True)):
            after.append(cell(x, *memory))
            y = self._norms[i](after[-1][0]) if self._norms else after[-1][0]
            x = x + y if self._residual and x.shape == y.shape else y
        return x, after

    def start(self, rows: int) -> list[Memory]:
        """Return the memories before the first frame."""
        return [tuple(part.repeat(rows, axis=0) for part in memory) for memory in self._start]


def to_array(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor, which may be on any device."""
    values: np.ndarray = tensor.detach().cpu().numpy()
    return values


def to_memories(state: Sequence[State]) -> list[Memory]:
    """Return the state of a stack as the memories that its step goes on from."""
    return [tuple(map(to_array, (part,) if isinstance(part, Tensor) else part)) for part in state]


def affine(weight: np.ndarray, bias: np.ndarray) -> _Map:
    """Return the map of rows x `[B, F]` to x W + b `[B, G]`, for large weights.

    Where FBGEMM is (x86), fp32 weights that fp16 holds exactly are read as such. They are multiplied and
    added up in fp32, so the result is the same but for rounding.

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


def _rnn(activation: _Map) -> Callable[[nn.RNNBase], _Cell]:
    def make(layer: nn.RNNBase) -> _Cell:
        joined = _joined(layer)

        def step(x: np.ndarray, h: np.ndarray) -> Memory:
            return (activation(joined(np.concatenate((x, h), axis=1))),)

        return step

    return make


def _gru(layer: nn.RNNBase) -> _Cell:
    w_ih, w_hh, b_ih, b_hh = _weights(layer)
    of_x, of_h, size = affine(w_ih.T, b_ih), affine(w_hh.T, b_hh), layer.hidden_size

    def step(x: np.ndarray, h: np.ndarray) -> Memory:
        from_x, from_h = of_x(x), of_h(h)
        gates = np.tanh((from_x[:, : 2 * size] + from_h[:, : 2 * size]) * 0.5) * 0.5 + 0.5
        candidate = np.tanh(from_x[:, 2 * size :] + gates[:, :size] * from_h[:, 2 * size :])
        return (candidate + gates[:, size:] * (h - candidate),)

    return step


def _lstm(layer: nn.RNNBase) -> _Cell:
    joined, size = _joined(layer), layer.hidden_size
    kinds = np.array([gate == "candidate" for gate in GATES["lstm"]]).repeat(size)
    scale, shift = (np.where(kinds, *pair).astype(_weights(layer)[0].dtype) for pair in ((1, 0.5), (0, 0.5)))

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> Memory:
        gates = np.tanh(joined(np.concatenate((x, h), axis=1)) * scale) * scale + shift
        opened, kept, candidate, shown = (gates[:, i * size : (i + 1) * size] for i in range(4))
        c = kept * c + opened * candidate
        return shown * np.tanh(c), c

    return step


_CELLS: dict[CellName, Callable[[nn.RNNBase], _Cell]] = {
    "rnn_tanh": _rnn(np.tanh),
    "rnn_relu": _rnn(lambda x: np.maximum(x, 0)),
    "gru": _gru,
    "lstm": _lstm,
}


def _weights(layer: nn.RNNBase) -> list[np.ndarray]:
    """Return the weights of input `[G H, F]` and state `[G H, H]`, and their biases `[G H]`."""
    return [to_array(tensor) for tensor in cast(list[Tensor], layer.all_weights[0])]


def _joined(layer: nn.RNNBase) -> _Map:
    """Return the map of input and output side by side to what the gates are made of."""
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
