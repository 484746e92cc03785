"""Gradient norms compared with those of the reference cells."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from audioseq.nn import CellName, Recurrent, RecurrentStack, gradient_norms
from audioseq.nn.cells import CELLS, CellWeights


@pytest.mark.parametrize("cell", CELLS)
def test_gradient_norms_equal_those_of_the_reference_cells(cell: CellName) -> None:
    torch.manual_seed(0)
    layer = Recurrent(cell, 2, 3).double()
    x = torch.randn(1, 6, 2, dtype=torch.float64)
    weights = CellWeights(*cast(list[Tensor], layer.forward_layer.all_weights[0]))
    h = torch.zeros(1, 3, dtype=torch.float64)
    c, hidden = h, []
    for frame in x.unbind(1):
        if cell == "lstm":
            h, c = CELLS["lstm"](frame, (h, c), weights)
        else:
            h = cast(Tensor, CELLS[cell](frame, h, weights))
        hidden.append(h)

    def loss(y: Tensor) -> Tensor:
        return y.pow(3).sum()  # each frame contributes directly and through later frames

    expected = [grad.norm() for grad in torch.autograd.grad(loss(torch.stack(hidden, 1)), hidden)]
    torch.testing.assert_close(gradient_norms(layer, x, loss), torch.stack(expected))


def test_gradients_reach_further_back_in_an_lstm_than_in_an_rnn() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 60, 2)
    cells: tuple[CellName, ...] = ("rnn_tanh", "lstm")
    reach = {}
    for cell in cells:
        norms = gradient_norms(RecurrentStack(cell, 2, 16, 2), x)
        assert norms.shape == (60,)
        reach[cell] = (norms[20] / norms[-1]).item()
    assert reach["lstm"] > 10 * reach["rnn_tanh"]


def test_bidirectional_network_is_rejected() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        gradient_norms(Recurrent("gru", 2, 3, bidirectional=True), torch.zeros(1, 4, 2))
