"""Recurrent layer and stack of recurrent layers, used by every application."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Literal, cast

import torch
from torch import Tensor, nn

from audioseq.nn.dropout import LockedDropout, drop_weight
from audioseq.nn.masking import Padding

CellName = Literal["rnn_tanh", "rnn_relu", "gru", "lstm"]

State = Tensor | tuple[Tensor, Tensor]
"""State of a layer: h `[B, H]`, or (h, c) for an LSTM."""
States = tuple[State, ...]
"""States of the layers of a stack."""

# sigmoid(x) is exactly 1 and sigmoid(-x) exactly 0 in every precision.
_SATURATING_INPUT = 1e4


class Recurrent(nn.Module):
    """One recurrent layer over a padded batch, exact for all lengths and as fast as on dense tensors.

    Each direction is a forward `torch.nn` layer on dense tensors, the input format of the fused kernels
    (oneDNN, cuDNN). The backward direction reads sequences reversed within their own length. The equations
    are in `cells`.

    Recurrent weights start orthogonal (Saxe et al. 2014), input weights Xavier uniform (Glorot & Bengio
    2010), and the forget bias of an LSTM is 1 (Jozefowicz et al. 2015), so gradients reach far back from the
    first update on.

    Args:
        cell: `rnn_tanh`, `rnn_relu`, `gru` or `lstm`.
        input_size: features F of an input frame.
        hidden_size: features H of one direction's output.
        bidirectional: whether to add a backward layer; its output is concatenated after the forward output.
        weight_drop: probability of zeroing a recurrent weight during training, 0 <= p < 1.
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
        self.forward_layer = _make_layer(cell, input_size, hidden_size)
        self.backward_layer = _make_layer(cell, input_size, hidden_size) if bidirectional else None

    def forward(
        self, x: Tensor, lengths: Tensor | Padding | None = None, state: State | None = None
    ) -> tuple[Tensor, State | None]:
        """Run over a padded batch.

        Args:
            x: features `[B, T, F]`.
            lengths: valid frames, int64 `[B]`, at most T; None if all frames are valid. A stack passes the
                `Padding` that its layers share, and clears the padding of the outputs once, at its end.
            state: state after the preceding frames; None is the zero state.
        Returns:
            outputs `[B, T, H]`, or `[B, T, 2 H]` if bidirectional, exactly 0 on padding; and the state after
            the last valid frame of each sequence, or None if bidirectional.
        Raises:
            ValueError: a bidirectional layer got a state.
        """
        if isinstance(lengths, Tensor):
            padding = Padding(lengths, x.shape[1])
            y, last = self.forward(x, padding, state)
            return padding.clear(y), last
        if self.backward_layer is None:
            return self._run(self.forward_layer, x, state, lengths)
        if state is not None:
            raise ValueError("a bidirectional layer cannot continue from a state; pass whole sequences")
        forward, backward = self._run_both(self.backward_layer, x, _reverse(x, lengths))
        return torch.cat([forward, _reverse(backward, lengths)], dim=2), None

    def window(self, x: Tensor, frames: int, state: State | None = None) -> tuple[Tensor, State]:
        """Run over a window of a longer sequence: its next frames, and some frames after them as lookahead.

        The forward direction continues from the window before; the backward direction starts at the end of
        the window. With enough lookahead, the outputs are those of the whole sequence. Source: Zhang et al.
        2016, "Highway long short-term memory RNNs for distant speech recognition" (latency-controlled BLSTM).

        Args:
            x: features of the window `[B, W, F]`, without padding.
            frames: frames before the lookahead, at least 1; the next window starts after them.
            state: state that the window before returned; None for the first window.
        Returns:
            outputs for the whole window, `[B, W, H]` or `[B, W, 2 H]`, and the forward state after `frames`.
        """
        y, after = self._run(self.forward_layer, x[:, :frames], state)
        if frames < x.shape[1]:
            y = torch.cat([y, self._run(self.forward_layer, x[:, frames:], after)[0]], dim=1)
        if self.backward_layer is None:
            return y, after
        backward, _ = self._run(self.backward_layer, x.flip(1))
        return torch.cat([y, backward.flip(1)], dim=2), after

    def _run_both(self, backward_layer: nn.RNNBase, x: Tensor, reversed_x: Tensor) -> tuple[Tensor, Tensor]:
        """Run both directions; on a GPU at the same time, since each of them leaves most of it idle."""
        if not x.is_cuda:
            return self._run(self.forward_layer, x)[0], self._run(backward_layer, reversed_x)[0]
        main, side = torch.cuda.current_stream(x.device), _side_stream(x.device)
        side.wait_stream(main)
        with torch.cuda.stream(side):
            backward, _ = self._run(backward_layer, reversed_x)
        forward, _ = self._run(self.forward_layer, x)
        main.wait_stream(side)
        # So that the memory of either is not used again before both streams have read it.
        reversed_x.record_stream(side)
        backward.record_stream(main)
        return forward, backward

    def _run(
        self, layer: nn.RNNBase, x: Tensor, state: State | None = None, padding: Padding | None = None
    ) -> tuple[Tensor, State]:
        """Run one direction; return the outputs and the state after the last (valid) frame."""
        w_ih, w_hh, b_ih, b_hh = cast(list[Tensor], layer.all_weights[0])
        w_hh = drop_weight(w_hh, self.weight_drop, self.training)
        if state is None:
            zeros = x.new_zeros(len(x), layer.hidden_size)
            state = (zeros, zeros) if self.cell == "lstm" else zeros
        # Of the kernels: biases, layers, dropout, training, bidirectional, batch first.
        options = True, 1, 0.0, self.training, False, True
        if isinstance(state, Tensor):
            y, h = _KERNELS[self.cell](x, state.unsqueeze(0), (w_ih, w_hh, b_ih, b_hh), *options)
            return y, (h.squeeze(0) if padding is None else padding.last_valid(y, state))
        if padding is not None:
            x, w_ih = _freeze_cell_on_padding(x, w_ih, padding)
        y, h, c = torch.lstm(x, [part.unsqueeze(0) for part in state], (w_ih, w_hh, b_ih, b_hh), *options)
        return y, ((h.squeeze(0) if padding is None else padding.last_valid(y, state[0])), c.squeeze(0))


class RecurrentStack(nn.Module):
    """Stack of recurrent layers with optional layer norm, residual connections and dropout.

    The output of each layer is normalised, then added to the layer's input, then passed through dropout.

    Args:
        cell: `rnn_tanh`, `rnn_relu`, `gru` or `lstm`.
        input_size: features F of an input frame.
        hidden_size: features H of one direction's output in each layer.
        num_layers: number of layers.
        bidirectional: whether each layer reads the sequences in both directions.
        dropout: probability of zeroing a feature of each layer's output during training, 0 <= p < 1.
        locked: whether all frames of a sequence share one dropout mask, see `LockedDropout`.
        weight_drop: probability of zeroing a recurrent weight during training, see `drop_weight`.
        layer_norm: whether to normalise each layer's output (Ba et al. 2016).
        residual: whether to add a layer's input to its output if both have the same size (He et al. 2016).
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
        self, x: Tensor, lengths: Tensor | None = None, state: States | None = None
    ) -> tuple[Tensor, States | None]:
        """Run over a padded batch, as `Recurrent.forward`, with one state for each layer."""
        padding = None if lengths is None else Padding(lengths, x.shape[1])
        states = []
        for i, layer in enumerate(self.layers):
            y, last = layer(x, padding, None if state is None else state[i])
            x = self._connect(i, x, y)
            states.append(last)
        x = x if padding is None else padding.clear(x)
        return x, None if any(last is None for last in states) else tuple(states)

    def window(self, x: Tensor, frames: int, states: States | None = None) -> tuple[Tensor, States]:
        """Run over a window of a longer sequence, as `Recurrent.window`, with one state for each layer."""
        after = []
        for i, layer in enumerate(self.layers):
            y, state = cast(Recurrent, layer).window(x, frames, None if states is None else states[i])
            x = self._connect(i, x, y)
            after.append(state)
        return x, tuple(after)

    def _connect(self, i: int, x: Tensor, y: Tensor) -> Tensor:
        """Return the input of the next layer, for the input and the output of layer i."""
        y = self.norms[i](y) if len(self.norms) else y
        return cast(Tensor, self.dropout(x + y if self.residual and x.shape == y.shape else y))


_LAYERS: dict[CellName, Callable[..., nn.RNNBase]] = {
    "rnn_tanh": partial(nn.RNN, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNN, nonlinearity="relu"),
    "gru": nn.GRU,
    "lstm": nn.LSTM,
}

# The kernels behind these layers. Called directly, they accept weights computed from the parameters.
_KERNELS: dict[CellName, Callable[..., tuple[Tensor, Tensor]]] = {
    "rnn_tanh": torch.rnn_tanh,
    "rnn_relu": torch.rnn_relu,
    "gru": torch.gru,
}


def _make_layer(cell: CellName, input_size: int, hidden_size: int) -> nn.RNNBase:
    """Build a unidirectional `torch.nn` layer with the initialisation described in `Recurrent`."""
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


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of the backward directions."""
    return torch.cuda.Stream(device)


def _reverse(x: Tensor, padding: Padding | None) -> Tensor:
    return x.flip(1) if padding is None else padding.reverse(x)


def _freeze_cell_on_padding(x: Tensor, w_ih: Tensor, padding: Padding) -> tuple[Tensor, Tensor]:
    """Add an input that is 1 on padding, where it closes the input gate and opens the forget gate of an LSTM.

    The fused kernel returns the cell state of the last frame only; with the extra input that equals the cell
    state after the last valid frame. The gates saturate to exactly 0 and 1, so padding has no gradient.
    """
    gate = w_ih.new_full((w_ih.shape[0] // 4, 1), _SATURATING_INPUT)
    hold = torch.cat([-gate, gate, torch.zeros_like(gate), torch.zeros_like(gate)])
    return torch.cat([x, (~padding.valid).to(x.dtype)], dim=2), torch.cat([w_ih, hold], dim=1)
