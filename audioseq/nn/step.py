"""Single steps of torch stacks in NumPy: the weights as arrays, and in fp16 where that is exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from audioseq.nn.recurrent import Recurrent, RecurrentStack, State
from audioseq.runtime import step
from audioseq.runtime.step import ArrayState, Map, StackStep, fuse


def make_step(stack: RecurrentStack) -> StackStep:
    """Return the step function of a stack on any device.

    Raises:
        ValueError: the stack is bidirectional.
    Example:
        >>> step = make_step(RecurrentStack("lstm", 3, 4, num_layers=2))
        >>> y, states = step(np.zeros((1, 3), np.float32), step.initial_states(1))
        >>> y.shape, len(states), states[0][1].shape
        ((1, 4), 2, (1, 4))
    """
    cell = cast(Recurrent, stack.layers[0]).cell
    return StackStep(fuse(to_arrays(stack), cell), cell, residual=stack.residual, affine=affine)


def to_array(tensor: Tensor) -> np.ndarray:
    """Return the values of a tensor on any device as an array."""
    return np.asarray(tensor.detach().cpu().numpy())


def to_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the state dict of a module on any device as arrays."""
    return {name: to_array(tensor) for name, tensor in module.state_dict().items()}


def to_array_states(states: Sequence[State]) -> list[ArrayState]:
    """Convert the states of a stack's layers to arrays for `StackStep`."""
    return [tuple(map(to_array, (state,) if isinstance(state, Tensor) else state)) for state in states]


def affine(weight: np.ndarray, bias: np.ndarray) -> Map:
    """Return a function that maps rows x `[B, F]` to x W + b `[B, G]`, for large weights.

    Where FBGEMM is available (x86), fp32 weights that fp16 represents exactly are stored in fp16: half the
    bytes to read. Products and sums are in fp32, so the result is the same up to rounding.

    Args:
        weight: W `[F, G]`.
        bias: b `[G]`.
    """
    tensor = torch.from_numpy(weight.T).contiguous()
    exact = tensor.dtype == torch.float32 and torch.equal(tensor.half().float(), tensor)
    if not exact or torch.backends.quantized.engine not in ("x86", "fbgemm"):
        return step.affine(weight, bias)
    packed = torch.ops.quantized.linear_prepack_fp16(tensor, torch.from_numpy(bias))
    multiply = torch.ops.quantized.linear_dynamic_fp16
    return lambda x: multiply(torch.from_numpy(x), packed).numpy()
