"""Reference implementations of the recurrent cells, one equation per gate.

They compute what the fused kernels behind `Recurrent` compute. They serve as documentation and as the
reference for tests; they are slow. Weights have the layout of `torch.nn`: the rows of `w_ih` `[k H, F]`,
`w_hh` `[k H, H]` and the biases `[k H]` are the k gates in the order of `GATES`. In the equations σ is the
logistic function, ⊙ the element-wise product, x_t the input and h_t the output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from audioseq.nn.recurrent import CellName, State


class CellWeights(NamedTuple):
    """Parameters of a cell with k gates."""

    w_ih: Tensor
    """Input weights `[k H, F]`."""
    w_hh: Tensor
    """Recurrent weights `[k H, H]`."""
    b_ih: Tensor
    """Input bias `[k H]`."""
    b_hh: Tensor
    """Recurrent bias `[k H]`; equivalent to `b_ih` except in a GRU."""


def rnn_tanh_cell(x: Tensor, h: Tensor, weights: CellWeights) -> Tensor:
    """Compute one step of a simple recurrent network.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    Each step multiplies the gradient by W_hh and by a slope below 1, so over many steps it vanishes (or
    explodes). Source: Elman 1990, "Finding structure in time".

    Args:
        x: input `[B, F]`.
        h: previous output `[B, H]`.
        weights: one gate.
    Returns:
        output `[B, H]`.
    """
    return torch.tanh(_affine(x, weights.w_ih, weights.b_ih) + _affine(h, weights.w_hh, weights.b_hh))


def rnn_relu_cell(x: Tensor, h: Tensor, weights: CellWeights) -> Tensor:
    """Compute one step of a simple recurrent network with rectified linear units.

        h_t = max(0, W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)

    The slope of an active unit is 1, so the gradient depends on W_hh alone. Source: Le et al. 2015, "A simple
    way to initialize recurrent networks of rectified linear units".

    Args:
        x: input `[B, F]`.
        h: previous output `[B, H]`.
        weights: one gate.
    Returns:
        output `[B, H]`.
    """
    return torch.relu(_affine(x, weights.w_ih, weights.b_ih) + _affine(h, weights.w_hh, weights.b_hh))


def gru_cell(x: Tensor, h: Tensor, weights: CellWeights) -> Tensor:
    """Compute one step of a gated recurrent unit (GRU).

        r_t = σ(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)            reset gate
        z_t = σ(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)            update gate
        n_t = tanh(W_in x_t + b_in + r_t ⊙ (W_hn h_{t-1} + b_hn))  candidate
        h_t = (1 - z_t) ⊙ n_t + z_t ⊙ h_{t-1}

    Where z_t is near 1, the output and its gradient pass through unchanged. Source: Cho et al. 2014,
    "Learning phrase representations using RNN encoder-decoder". As in cuDNN, the reset gate is applied after
    the recurrent product.

    Args:
        x: input `[B, F]`.
        h: previous output `[B, H]`.
        weights: three gates: reset, update, candidate.
    Returns:
        output `[B, H]`.
    """
    from_x = _affine(x, weights.w_ih, weights.b_ih).chunk(3, dim=1)
    from_h = _affine(h, weights.w_hh, weights.b_hh).chunk(3, dim=1)
    reset = torch.sigmoid(from_x[0] + from_h[0])
    update = torch.sigmoid(from_x[1] + from_h[1])
    candidate = torch.tanh(from_x[2] + reset * from_h[2])
    return (1 - update) * candidate + update * h


def lstm_cell(x: Tensor, state: tuple[Tensor, Tensor], weights: CellWeights) -> tuple[Tensor, Tensor]:
    """Compute one step of a long short-term memory (LSTM).

        i_t = σ(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)     input gate
        f_t = σ(W_if x_t + b_if + W_hf h_{t-1} + b_hf)     forget gate
        g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)  candidate
        o_t = σ(W_io x_t + b_io + W_ho h_{t-1} + b_ho)     output gate
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t                    cell state
        h_t = o_t ⊙ tanh(c_t)

    The cell state is only scaled by f_t and added to. Where f_t is near 1, the cell state and its gradient
    are preserved over many steps. Source: Hochreiter & Schmidhuber 1997, "Long short-term memory"; the forget
    gate: Gers et al. 2000, "Learning to forget".

    Args:
        x: input `[B, F]`.
        state: previous output h and cell state c, `[B, H]` each.
        weights: four gates: input, forget, candidate, output.
    Returns:
        output and cell state, `[B, H]` each.
    """
    h, c = state
    gates = _affine(x, weights.w_ih, weights.b_ih) + _affine(h, weights.w_hh, weights.b_hh)
    input_gate, forget_gate, candidate, output_gate = gates.chunk(4, dim=1)
    c = torch.sigmoid(forget_gate) * c + torch.sigmoid(input_gate) * torch.tanh(candidate)
    return torch.sigmoid(output_gate) * torch.tanh(c), c


GATES: dict[CellName, tuple[str, ...]] = {
    "rnn_tanh": ("hidden",),
    "rnn_relu": ("hidden",),
    "gru": ("reset", "update", "candidate"),
    "lstm": ("input", "forget", "candidate", "output"),
}
"""Gates of each cell, in the order of the rows of its weights."""

CELLS: dict[CellName, Callable[[Tensor, Any, CellWeights], State]] = {
    "rnn_tanh": rnn_tanh_cell,
    "rnn_relu": rnn_relu_cell,
    "gru": gru_cell,
    "lstm": lstm_cell,
}
"""Step function of each cell: input `[B, F]`, state (h or (h, c)) and weights to the next state."""


def run_cell(cell: CellName, x: Tensor, state: State, weights: CellWeights) -> tuple[Tensor, State]:
    """Run a cell over all frames of a sequence.

    Args:
        cell: name of the cell.
        x: inputs `[B, T, F]`, all frames valid.
        state: state before the first frame.
        weights: parameters of the cell.
    Returns:
        outputs `[B, T, H]`, and the state after the last frame.
    Example:
        >>> weights = CellWeights(torch.zeros(4, 3), torch.zeros(4, 4), torch.ones(4), torch.zeros(4))
        >>> y, h = run_cell("rnn_tanh", torch.zeros(1, 2, 3), torch.zeros(1, 4), weights)
        >>> y.shape, bool((y[:, -1] == h).all())
        (torch.Size([1, 2, 4]), True)
    """
    outputs = []
    for frame in x.unbind(1):
        state = CELLS[cell](frame, state, weights)
        outputs.append(state if isinstance(state, Tensor) else state[0])
    return torch.stack(outputs, dim=1), state


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ weight.T + bias
