"""Padded batches of sequences of different lengths: masks, and reversal within each length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return a mask of the valid frames of a padded batch.

    Args:
        lengths: valid frames of each sequence, int64 `[B]`.
        frames: padded length T.
    Returns:
        bool `[B, T]`, true on valid frames.
    Example:
        >>> length_mask(torch.tensor([3, 1]), 3).tolist()
        [[True, True, True], [True, False, False]]
    """
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)


def reverse_sequence(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence within its own length; the padding stays at the end.

    A forward recurrent layer on sequences reversed this way is a backward layer that never reads the padding
    and runs at the full speed of dense tensors. Two reversals restore the input.

    Args:
        x: padded batch `[B, T, F]`.
        lengths: valid frames of each sequence, int64 `[B]`, at most T.
    Returns:
        the reversed batch `[B, T, F]`.
    Example:
        >>> reverse_sequence(torch.tensor([[[1.0], [2.0], [9.0]]]), torch.tensor([2])).flatten().tolist()
        [2.0, 1.0, 9.0]
    """
    return Padding(lengths, x.shape[1]).reverse(x)


@dataclass(frozen=True)
class Padding:
    """Lengths of a padded batch with the derived masks and indices, computed once and shared by all layers.

    Args:
        lengths: valid frames of each sequence, int64 `[B]`, at most `frames`.
        frames: padded length T.
    """

    lengths: Tensor
    frames: int

    @cached_property
    def valid(self) -> Tensor:
        """Mask of the valid frames, bool `[B, T, 1]`."""
        return length_mask(self.lengths, self.frames).unsqueeze(2)

    @cached_property
    def _reversed_rows(self) -> Tensor:
        """Source row in the flattened batch of each row of the reversed batch, int64 `[B * T]`."""
        time = torch.arange(self.frames, device=self.lengths.device)
        rows = torch.arange(len(self.lengths), device=self.lengths.device).unsqueeze(1) * self.frames
        source = torch.where(self.valid.squeeze(2), self.lengths.unsqueeze(1) - 1 - time, time)
        return (rows + source).flatten()

    def clear(self, x: Tensor) -> Tensor:
        """Set the padding of `x` `[B, T, F]` to zero."""
        return torch.where(self.valid, x, 0.0)

    def reverse(self, x: Tensor) -> Tensor:
        """Reverse each sequence of `x` `[B, T, F]` within its length."""
        y: Tensor = _PermuteRows.apply(x, self._reversed_rows)  # type: ignore[no-untyped-call]
        return y

    def last_valid(self, x: Tensor, initial: Tensor) -> Tensor:
        """Return the last valid frame of each sequence of `x` `[B, T, F]`, or of `initial` if it has none."""
        taken = x[torch.arange(len(x), device=x.device), (self.lengths - 1).clamp(min=0)]
        return torch.where(self.lengths.unsqueeze(1) > 0, taken, initial)


class _PermuteRows(torch.autograd.Function):
    """Permutation of rows that is its own inverse, so its gradient is a gather and not a scatter-add."""

    @staticmethod
    def forward(x: Tensor, index: Tensor) -> Tensor:
        return x.flatten(0, 1).index_select(0, index).view(x.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _PermuteRows.apply(grad, index), None  # type: ignore[no-untyped-call]
