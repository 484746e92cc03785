"""Recurrent layers compared with the reference cells in float64, one sequence at a time."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audioseq.nn import CellName, Recurrent, RecurrentStack, State
from audioseq.nn.cells import CELLS, GATES, CellWeights, run_cell

LENGTHS = [7, 1, 4, 0]
cells = pytest.mark.parametrize("cell", CELLS)


def zero_state(cell: CellName, hidden_size: int) -> State:
    zeros = torch.zeros(1, hidden_size, dtype=torch.float64)
    return (zeros, zeros) if cell == "lstm" else zeros


def parts(state: State) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def row(state: State, i: int) -> State:
    taken = tuple(part[i : i + 1] for part in parts(state))
    return taken[0] if isinstance(state, Tensor) else (taken[0], taken[1])


def reference(
    layer: Recurrent, x: Tensor, lengths: list[int], state: State | None = None
) -> tuple[Tensor, list[State]]:
    """Compute the outputs of `Recurrent` with the reference cells, for each sequence without its padding."""
    outputs, states = [], []
    for i, length in enumerate(lengths):
        valid = x[i : i + 1, :length]
        directions = []
        for backward, direction in enumerate((layer.forward_layer, layer.backward_layer)):
            if direction is None:
                continue
            hidden_size = direction.hidden_size
            start = zero_state(layer.cell, hidden_size) if state is None else row(state, i)
            if length == 0:
                directions.append(x.new_zeros(1, 0, hidden_size))
                states.append(start)
                continue
            weights = CellWeights(*cast(list[Tensor], direction.all_weights[0]))
            y, last = run_cell(layer.cell, valid.flip(1) if backward else valid, start, weights)
            directions.append(y.flip(1) if backward else y)
            states.append(last)
        y = torch.cat(directions, dim=2)
        outputs.append(nn.functional.pad(y, (0, 0, 0, x.shape[1] - length)))
    return torch.cat(outputs), states


def gradients(y: Tensor, state: list[Tensor], model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Return the gradients of a loss with a random weight for each output and state value."""
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (part * torch.randn(part.shape, generator=generator, dtype=part.dtype)).sum() for part in [y, *state]
    )
    return torch.autograd.grad(cast(Tensor, loss), [x, *model.parameters()])


@cells
@pytest.mark.parametrize("with_lengths", [False, True])
@pytest.mark.parametrize(("bidirectional", "with_state"), [(False, False), (False, True), (True, False)])
def test_layer_equals_the_reference_cells(
    cell: CellName, with_lengths: bool, bidirectional: bool, with_state: bool
) -> None:
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 4, bidirectional=bidirectional).double()
    for parameter in layer.parameters():  # including biases, which start at 0
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(4, 7, 3, dtype=torch.float64, requires_grad=True)
    h, c = torch.randn(2, 4, 4, dtype=torch.float64)
    state: State | None = ((h, c) if cell == "lstm" else h) if with_state else None
    lengths = LENGTHS if with_lengths else [7] * 4

    y, last = layer(x, torch.tensor(lengths) if with_lengths else None, state)
    expected, each = reference(layer, x, lengths, state)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-10)
    if bidirectional:
        assert last is None
        pair: tuple[list[Tensor], list[Tensor]] = ([], [])
    else:
        pair = (list(parts(last)), [torch.cat(rows) for rows in zip(*map(parts, each), strict=True)])
        torch.testing.assert_close(pair[0], pair[1], rtol=0, atol=1e-10)
    torch.testing.assert_close(
        gradients(y, pair[0], layer, x), gradients(expected, pair[1], layer, x), rtol=0, atol=1e-10
    )


@settings(deadline=None, max_examples=25)
@given(
    cell=st.sampled_from(list(CELLS)),
    bidirectional=st.booleans(),
    extras=st.booleans(),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    padding=st.integers(0, 3),
)
def test_padding_does_not_affect_valid_frames(
    cell: CellName, bidirectional: bool, extras: bool, lengths: list[int], padding: int
) -> None:
    torch.manual_seed(0)
    size = 8 if bidirectional else 4  # the output size, so that all layers have residual connections
    stack = RecurrentStack(
        cell, size, 4, 2, bidirectional=bidirectional, layer_norm=extras, residual=extras
    ).double()
    x = torch.randn(len(lengths), max([1, *lengths]) + padding, size, dtype=torch.float64)
    y, state = stack(x, torch.tensor(lengths))
    for i, length in enumerate(lengths):
        assert (y[i, length:] == 0).all()
        if length:
            alone, last = stack(x[i : i + 1, :length])
            torch.testing.assert_close(y[i : i + 1, :length], alone, rtol=0, atol=1e-12)
            if state is not None:
                for together, single in zip(state, last, strict=True):
                    torch.testing.assert_close(row(together, i), single, rtol=0, atol=1e-12)
    junk = x.clone()
    for i, length in enumerate(lengths):
        junk[i, length:] = 1e3
    assert torch.equal(stack(junk, torch.tensor(lengths))[0], y)


def test_padding_has_zero_gradient() -> None:
    x = torch.randn(2, 5, 3, requires_grad=True)
    y, state = Recurrent("lstm", 3, 4)(x, torch.tensor([5, 2]))
    (y.sum() + state[0].sum() + state[1].sum()).backward()
    assert x.grad is not None
    assert (x.grad[1, 2:] == 0).all()
    assert (x.grad[1, :2] != 0).all()


def test_stack_applies_its_layers_in_order() -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("gru", 3, 4, 2, bidirectional=True, layer_norm=True, residual=True, dropout=0.5)
    for parameter in stack.norms.parameters():
        nn.init.normal_(parameter)
    x, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    lower = stack.norms[0](stack.layers[0](x, lengths)[0])  # size differs from x: no residual
    upper = lower + stack.norms[1](stack.layers[1](lower, lengths)[0])
    y = stack.eval()(x, lengths)[0]
    torch.testing.assert_close(y[0], upper[0])
    torch.testing.assert_close(y[1, :2], upper[1, :2])


@cells
def test_frame_by_frame_equals_the_whole_sequence(cell: CellName) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 3, 4, 2, layer_norm=True, residual=True, dropout=0.5, weight_drop=0.5).eval()
    x = torch.randn(2, 9, 3)
    whole, last = stack(x)
    state, outputs = None, []
    for t in range(9):
        y, state = stack(x[:, t : t + 1], None, state)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, dim=1), whole)
    torch.testing.assert_close(state, last)


@cells
def test_state_carries_over_when_sequences_end_at_different_frames(cell: CellName) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, 3, 4, 2).double()
    x = torch.randn(3, 9, 3, dtype=torch.float64)
    _, whole = stack(x, torch.tensor([9, 6, 2]))
    _, state = stack(x[:, :5], torch.tensor([5, 5, 2]))
    _, state = stack(x[:, 5:], torch.tensor([4, 1, 0]), state)
    torch.testing.assert_close(state, whole, rtol=0, atol=1e-12)


def test_bidirectional_layer_rejects_a_state() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        Recurrent("gru", 3, 4, bidirectional=True)(torch.zeros(1, 2, 3), None, torch.zeros(1, 4))


@cells
def test_initial_weights(cell: CellName) -> None:
    for layer in Recurrent(cell, 3, 8, bidirectional=True).children():
        w_ih, w_hh, b_ih, b_hh = layer.parameters()
        for gate in torch.split(w_hh, 8):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), rtol=0, atol=1e-5)
        assert w_ih.abs().max() <= (6 / (3 + 8)) ** 0.5
        for name, bias in zip(GATES[cell], torch.split(b_ih + b_hh, 8), strict=True):
            assert (bias == float(name == "forget")).all()


@cells
def test_weight_drop_affects_only_outputs_in_training(cell: CellName) -> None:
    torch.manual_seed(0)
    dropped = RecurrentStack(cell, 3, 16, 2, weight_drop=0.5)
    plain = RecurrentStack(cell, 3, 16, 2)
    assert dropped.state_dict().keys() == plain.state_dict().keys()
    plain.load_state_dict(dropped.state_dict())
    before = {name: value.clone() for name, value in dropped.state_dict().items()}
    x = torch.randn(2, 5, 3)
    first, second = dropped(x)[0], dropped(x)[0]
    assert not torch.equal(first, second)
    first.sum().backward()
    grad = dict(dropped.named_parameters())["layers.0.forward_layer.weight_hh_l0"].grad
    assert grad is not None
    assert 0.3 < grad.eq(0).float().mean() < 0.7  # dropped weights have no gradient
    torch.testing.assert_close(dropped.state_dict(), before, rtol=0, atol=0)
    torch.testing.assert_close(dropped.eval()(x)[0], plain(x)[0])
