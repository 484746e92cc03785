"""Steps of a stack in NumPy, compared with the torch stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from audioseq.nn import RecurrentStack, State
from audioseq.nn.cells import CELLS
from audioseq.runtime.step import ArrayState, StackStep, fuse
from tests.arrays import to_arrays


def to_array_states(states: Sequence[State]) -> list[ArrayState]:
    """Convert the states of a stack's layers to arrays."""
    parts = [(state,) if isinstance(state, Tensor) else state for state in states]
    return [tuple(part.detach().numpy() for part in each) for each in parts]


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
    step, state = StackStep(fuse(to_arrays(stack), cell), cell, residual=extras), None
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


def test_bidirectional_stack_is_rejected() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        fuse(to_arrays(RecurrentStack("gru", 3, 4, 1, bidirectional=True)), "gru")
