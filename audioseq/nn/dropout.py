"""Dropout for recurrent layers: locked (variational) dropout and weight drop."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LockedDropout(nn.Module):
    """Drop the same features in every frame of a sequence (variational dropout).

    A recurrent layer averages out the noise of a new mask in each frame, but not that of one mask per
    sequence. Source: Gal & Ghahramani 2016, "A theoretically grounded application of dropout in recurrent
    neural networks".

    Args:
        p: probability of zeroing a feature during training, 0 <= p < 1.
    Example:
        >>> y = LockedDropout(0.5)(torch.ones(1, 4, 8))
        >>> bool((y == y[:, :1]).all())
        True
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of `x` `[B, T, F]`; return `x` unchanged in evaluation mode."""
        if not self.training or self.p == 0.0:
            return x
        return x * nn.functional.dropout(torch.ones_like(x[:, :1]), self.p)

    def extra_repr(self) -> str:
        """Return the probability for `repr`."""
        return f"p={self.p}"


def drop_weight(weight: Tensor, p: float, training: bool) -> Tensor:
    """Zero entries of a recurrent weight with probability `p` and scale the others by 1 / (1 - p).

    One mask is used for the whole sequence. The result is a new tensor for the fused kernel; the parameter
    and its entry in the state_dict do not change. Source: Merity et al. 2018, "Regularizing and optimizing
    LSTM language models", section 2.

    Args:
        weight: recurrent weight `[gates * H, H]`.
        p: probability of zeroing an entry, 0 <= p < 1.
        training: if false, return the weight itself.
    """
    return nn.functional.dropout(weight, p) if training and p > 0.0 else weight
