"""Numpy steps of a stack, compared with the torch stack."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from audioseq.nn import RecurrentStack
from audioseq.nn.cells import CELLS
from audioseq.nn.step import affine, make_step, to_array_states


@settings(deadline=None, max_examples=40)
@given(
    cell=st.sampled_from(list(CELLS)),
    rows=st.integers(1, 4),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    extras=st.booleans(),
    with_state=st.booleans(),
)
def test_steps_equal_the_stack(
    cell: str, rows: int, sizes: tuple[int, int, int], extras: bool, with_state: bool
) -> None:
    torch.manual_seed(0)
    stack = RecurrentStack(cell, *sizes, dropout=0.5, layer_norm=extras, residual=extras)  # type: ignore[arg-type]
    stack.eval().double()
    for parameter in stack.parameters():  # biases and norms too
        nn.init.normal_(parameter, std=0.7)
    x = torch.randn(rows, 5, sizes[0], dtype=torch.float64)
    step, state = make_step(stack), None
    states = step.initial_states(rows)
    if with_state:
        _, state = stack(torch.randn(rows, 3, sizes[0], dtype=torch.float64))
        states = to_array_states(state)
    y, last = stack(x, state=state)
    for t in range(5):
        before = [tuple(part.copy() for part in each) for each in states]
        output, after = step(x[:, t].numpy(), states)
        torch.testing.assert_close(torch.from_numpy(output), y[:, t], rtol=0, atol=1e-10)
        np.testing.assert_equal(states, before)  # the given states are not modified
        states = after
    for actual, expected in zip(states, to_array_states(last), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("engine", [torch.backends.quantized.engine, "qnnpack"])
@pytest.mark.parametrize("exact", [True, False])
def test_affine_with_fp16_weights_equals_fp32(
    engine: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(torch.backends.quantized), "engine", engine)
    random = np.random.default_rng(0)
    weight, bias, x = (random.standard_normal(shape, np.float32) for shape in ((90, 70), (70,), (3, 90)))
    if exact:
        weight = (weight / 1e4).astype(np.float16).astype(np.float32)  # some of them subnormal
    expected = x.astype(np.float64) @ weight.astype(np.float64) + bias
    np.testing.assert_allclose(affine(weight, bias)(x), expected, rtol=0, atol=2e-7 * np.abs(x).sum())


def test_bidirectional_stack_is_rejected() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        make_step(RecurrentStack("gru", 3, 4, 1, bidirectional=True))
