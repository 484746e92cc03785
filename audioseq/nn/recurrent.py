"""The recurrent layer, and the thin stack of it, that every application uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, cast

import torch
from torch import Tensor, nn

from audioseq.nn.dropout import LockedDropout, drop_weight
from audioseq.nn.masking import Padding

CellName = Literal["rnn_tanh", "rnn_relu", "gru", "lstm"]

State = Tensor | tuple[Tensor, Tensor]
"""What a layer remembers: h `[B, H]`, and for an LSTM (h, c)."""

# A sigmoid of it is exactly 1, and of its negative exactly 0, in every precision.
_SATURATED = 1e4


class Recurrent(nn.Module):
    """One recurrent layer over a padded batch, exact in its lengths and as fast as without them.

    Each direction is a forward `torch.nn` layer on dense tensors, which is what the fused kernels (oneDNN,
    cuDNN) take. The backward one reads sequences that were reversed within their own length. The equations
    are in `cells`.

    It starts with orthogonal recurrent weights (Saxe et al. 2014), Xavier input weights (Glorot & Bengio
    2010) and, in an LSTM, a forget bias of 1 (Jozefowicz et al. 2015): gradients reach far back from the
    first update.

    Args:
        cell: `rnn_tanh`, `rnn_relu`, `gru` or `lstm`.
        input_size: features F of an input frame.
        hidden_size: features H of one direction's output.
        bidirectional: whether a second layer reads the sequences from their ends; its output comes second.
        weight_drop: probability of zeroing a recurrent weight while training, 0 <= p < 1.
    Example:
        >>> layer = Recurrent("lstm", 3, 4)
        >>> y, (h, c) = layer(torch.zeros(2, 5, 3), torch.tensor([5, 2]))
        >>> y.shape, h.shape, bool((y[1, 2:] == 0).all())
        (torch.Size([2, 5, 4]), torch.Size([2, 4]), True)
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        *,
        bidirectional: bool = False,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.weight_drop = weight_drop
        self.output_size = hidden_size * (2 if bidirectional else 1)
        self.forward_layer = _layer(cell, input_size, hidden_size)
        self.backward_layer = _layer(cell, input_size, hidden_size) if bidirectional else None

    def forward(
        self, x: Tensor, lengths: Tensor | Padding | None = None, state: State | None = None
    ) -> tuple[Tensor, State | None]:
        """Run over a padded batch.

        Args:
            x: features `[B, T, F]`.
            lengths: valid frames, int64 `[B]`, at most T; all frames are valid where it is not given. A stack
                passes the `Padding` that its layers share, and clears the outputs itself, once.
            state: what the layer remembers from earlier frames; nothing where it is not given.
        Returns:
            outputs `[B, T, H]`, or `[B, T, 2 H]` if bidirectional, exactly 0 past the end of a sequence; and
            the state after each sequence's last valid frame, to go on from, or None if bidirectional.
        Raises:
            ValueError: when a bidirectional layer is given a state.
        """
        if isinstance(lengths, Tensor):
            padding = Padding(lengths, x.shape[1])
            y, last = self.forward(x, padding, state)
            return padding.clear(y), last
        if self.backward_layer is None:
            return self._run(self.forward_layer, x, state, lengths)
        if state is not None:
            raise ValueError("a bidirectional layer takes no state: it reads each sequence from both ends")
        ahead, _ = self._run(self.forward_layer, x)
        back, _ = self._run(self.backward_layer, _reverse(x, lengths))
        return torch.cat([ahead, _reverse(back, lengths)], dim=2), None

    def _run(
        self, layer: nn.RNNBase, x: Tensor, state: State | None = None, padding: Padding | None = None
    ) -> tuple[Tensor, State]:
        """Run one direction; the state is that after frame T, or with `padding` after the last valid one."""
        w_ih, w_hh, b_ih, b_hh = cast(list[Tensor], layer.all_weights[0])
        w_hh = drop_weight(w_hh, self.weight_drop, self.training)
        if state is None:
            zeros = x.new_zeros(len(x), layer.hidden_size)
            state = (zeros, zeros) if self.cell == "lstm" else zeros
        if isinstance(state, Tensor):
            y, h = _KERNELS[self.cell](
                x, state.unsqueeze(0), (w_ih, w_hh, b_ih, b_hh), True, 1, 0.0, self.training, False, True
            )
            return y, (h.squeeze(0) if padding is None else padding.last(y, state))
        if padding is not None:
            x, w_ih = _with_hold(x, w_ih, padding)
        start = [part.unsqueeze(0) for part in state]
        y, h, c = torch.lstm(x, start, (w_ih, w_hh, b_ih, b_hh), True, 1, 0.0, self.training, False, True)
        return y, ((h.squeeze(0) if padding is None else padding.last(y, state[0])), c.squeeze(0))


class RecurrentStack(nn.Module):
    """A thin stack of recurrent layers, with layer norm, residual connections and dropout where wanted.

    The output of each layer is normalised, then added to the layer's input, then dropped from.

    Args:
        cell: `rnn_tanh`, `rnn_relu`, `gru` or `lstm`.
        input_size: features F of an input frame.
        hidden_size: features H of one direction's output in each layer.
        num_layers: number of layers.
        bidirectional: whether each layer reads the sequences in both directions.
        dropout: probability of zeroing a feature of each layer's output while training, 0 <= p < 1.
        locked: whether one dropout mask holds for all frames of a sequence, see `LockedDropout`.
        weight_drop: probability of zeroing a recurrent weight while training, see `drop_weight`.
        layer_norm: whether to normalise each layer's output (Ba et al. 2016).
        residual: whether to add a layer's input to its output where both have the same size (He et al. 2016).
    Example:
        >>> stack = RecurrentStack("gru", 3, 4, num_layers=2, bidirectional=True)
        >>> y, state = stack(torch.zeros(2, 5, 3), torch.tensor([5, 2]))
        >>> y.shape, stack.output_size
        (torch.Size([2, 5, 8]), 8)
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        locked: bool = False,
        weight_drop: float = 0.0,
        layer_norm: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.output_size = hidden_size * (2 if bidirectional else 1)
        sizes = [input_size] + [self.output_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            Recurrent(cell, size, hidden_size, bidirectional=bidirectional, weight_drop=weight_drop)
            for size in sizes
        )
        self.norms = nn.ModuleList(nn.LayerNorm(self.output_size) for _ in sizes if layer_norm)
        self.dropout = LockedDropout(dropout) if locked else nn.Dropout(dropout)

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, state: tuple[State, ...] | None = None
    ) -> tuple[Tensor, tuple[State, ...] | None]:
        """Run over a padded batch; as `Recurrent`, with one state a layer."""
        padding = None if lengths is None else Padding(lengths, x.shape[1])
        states = []
        for i, layer in enumerate(self.layers):
            y, last = layer(x, padding, None if state is None else state[i])
            y = self.norms[i](y) if self.norms else y
            x = self.dropout(x + y if self.residual and x.shape == y.shape else y)
            states.append(last)
        x = x if padding is None else padding.clear(x)
        return x, None if any(last is None for last in states) else tuple(states)


_LAYERS: dict[CellName, Callable[..., nn.RNNBase]] = {
    "rnn_tanh": partial(nn.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}

# What these layers call inside. Called directly, it takes weights that are computed from the parameters.
_KERNELS: dict[CellName, Callable[..., tuple[Tensor, Tensor]]] = {
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
    "gru": torch.gru,
}


def _layer(cell: CellName, input_size: int, hidden_size: int) -> nn.RNNBase:
    """Make a `torch.nn` layer of one direction with the initial values that `Recurrent` tells of."""
    layer = _LAYERS[cell](input_size, hidden_size, batch_first=True)
    w_ih, w_hh, b_ih, b_hh = cast(list[Tensor], layer.all_weights[0])
    with torch.no_grad():
        for gate in w_ih.view(-1, hidden_size, input_size):
            nn.init.xavier_uniform_(gate)
        for gate in w_hh.view(-1, hidden_size, hidden_size):
            nn.init.orthogonal_(gate)
        b_ih.zero_()
        b_hh.zero_()
        if cell == "lstm":
            b_ih[hidden_size : 2 * hidden_size] = 1.0
    return layer


def _reverse(x: Tensor, padding: Padding | None) -> Tensor:
    return x.flip(1) if padding is None else padding.reverse(x)


def _with_hold(x: Tensor, w_ih: Tensor, padding: Padding) -> tuple[Tensor, Tensor]:
    """Add an input that is 1 on padding, where it shuts an LSTM's input gate and opens its forget gate wide.

    So the cell state, which the fused kernel returns for the last frame only, stays what it was after the
    last valid one. The gates saturate to exactly 0 and 1, so no gradient comes from the padding either.
    """
    gate = w_ih.new_full((w_ih.shape[0] // 4, 1), _SATURATED)
    hold = torch.cat([-gate, gate, torch.zeros_like(gate), torch.zeros_like(gate)])
    return torch.cat([x, (~padding.valid).to(x.dtype)], dim=2), torch.cat([w_ih, hold], dim=1)
