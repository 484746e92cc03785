"""Sequences of different lengths in one padded batch: what is valid, and reversal within each length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """Tell which frames of a padded batch are valid.

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


def reverse_within(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence within its own length; the padding stays where it is.

    A forward recurrent layer on sequences reversed this way is a backward layer that never sees the
    padding, and runs at the full speed of dense tensors. Applied twice it changes nothing.

    Args:
        x: padded batch `[B, T, F]`.
        lengths: valid frames of each sequence, int64 `[B]`, at most T.
    Returns:
        the reversed batch `[B, T, F]`.
    Example:
        >>> reverse_within(torch.tensor([[[1.0], [2.0], [9.0]]]), torch.tensor([2])).flatten().tolist()
        [2.0, 1.0, 9.0]
    """
    return Padding(lengths, x.shape[1]).reverse(x)


@dataclass(frozen=True)
class Padding:
    """The lengths of a padded batch, with what every layer derives from them: computed once and shared.

    Args:
        lengths: valid frames of each sequence, int64 `[B]`, at most `frames`.
        frames: padded length T.
    """

    lengths: Tensor
    frames: int

    @cached_property
    def valid(self) -> Tensor:
        """True on valid frames, bool `[B, T, 1]`."""
        return length_mask(self.lengths, self.frames).unsqueeze(2)

    @cached_property
    def _mirror(self) -> Tensor:
        """Row of the flattened batch that each row of the reversed batch comes from, int64 `[B * T]`."""
        time = torch.arange(self.frames, device=self.lengths.device)
        rows = torch.arange(len(self.lengths), device=self.lengths.device).unsqueeze(1) * self.frames
        source = torch.where(self.valid.squeeze(2), self.lengths.unsqueeze(1) - 1 - time, time)
        return (rows + source).flatten()

    def clear(self, x: Tensor) -> Tensor:
        """Set the padding of `x` `[B, T, F]` to zero."""
        return torch.where(self.valid, x, 0.0)

    def reverse(self, x: Tensor) -> Tensor:
        """Reverse each sequence of `x` `[B, T, F]` within its length."""
        y: Tensor = _Mirror.apply(x, self._mirror)  # type: ignore[no-untyped-call]
        return y

    def last(self, x: Tensor, initial: Tensor) -> Tensor:
        """Take each sequence's last valid frame of `x` `[B, T, F]`; if it has none, of `initial` `[B, F]`."""
        taken = x[torch.arange(len(x), device=x.device), (self.lengths - 1).clamp(min=0)]
        return torch.where(self.lengths.unsqueeze(1) > 0, taken, initial)


class _Mirror(torch.autograd.Function):
    """A permutation of rows that is its own inverse: its gradient is a plain copy, not a scatter-add."""

    @staticmethod
    def forward(x: Tensor, index: Tensor) -> Tensor:
        return x.flatten(0, 1).index_select(0, index).view(x.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _Mirror.apply(grad, index), None  # type: ignore[no-untyped-call]
