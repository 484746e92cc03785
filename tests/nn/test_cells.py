"""Reference cells compared with torch's cells, and the effect of each gate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from audioseq.nn.cells import CELLS, GATES, CellWeights, lstm_cell, run_cell
from audioseq.nn.recurrent import CellName

TORCH_CELLS: dict[CellName, Callable[[int, int], nn.RNNCellBase]] = {
    "rnn_tanh": partial(nn.RNNCell, nonlinearity="tanh"),
    "rnn_relu": partial(nn.RNNCell, nonlinearity="relu"),
    "gru": nn.GRUCell,
    "lstm": nn.LSTMCell,
}


@pytest.mark.parametrize("cell", CELLS)
def test_step_equals_torch_cell(cell: CellName) -> None:
    torch.manual_seed(0)
    oracle = TORCH_CELLS[cell](3, 4).double()
    weights = CellWeights(oracle.weight_ih, oracle.weight_hh, oracle.bias_ih, oracle.bias_hh)
    x, h, c = torch.randn(5, 3).double(), torch.randn(5, 4).double(), torch.randn(5, 4).double()
    state = (h, c) if cell == "lstm" else h
    torch.testing.assert_close(CELLS[cell](x, state, weights), oracle(x, state), rtol=0, atol=1e-12)


def test_effect_of_each_lstm_gate() -> None:
    def step(**biases: float) -> tuple[Tensor, Tensor]:
        """Step one unit with zero weights, so that its gates equal their biases, from h = 0 and c = 0.5."""
        bias = torch.tensor([biases[gate] for gate in GATES["lstm"]])
        weights = CellWeights(torch.zeros(4, 1), torch.zeros(4, 1), bias, torch.zeros(4))
        return lstm_cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.full((1, 1), 0.5)), weights)

    closed, open_ = -100.0, 100.0
    assert step(input=closed, forget=open_, candidate=1.0, output=closed)[1].item() == 0.5  # keeps c
    assert step(input=closed, forget=closed, candidate=1.0, output=closed)[1].item() == 0.0  # clears c
    assert step(input=open_, forget=closed, candidate=open_, output=closed)[1].item() == 1.0  # writes c
    assert step(input=open_, forget=closed, candidate=open_, output=closed)[0].item() == 0.0  # hides c
    h, c = step(input=closed, forget=open_, candidate=0.0, output=open_)
    torch.testing.assert_close(h, torch.tanh(c))


def test_open_gru_update_gate_preserves_the_state() -> None:
    bias = torch.tensor([0.0, 100.0, 1.0])
    assert GATES["gru"][1] == "update"
    _, h = run_cell(
        "gru",
        torch.zeros(1, 9, 1),
        torch.full((1, 1), 0.3),
        CellWeights(torch.zeros(3, 1), torch.zeros(3, 1), bias, bias),
    )
    torch.testing.assert_close(h, torch.full((1, 1), 0.3))
