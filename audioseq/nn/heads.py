"""Output heads: linear layers from the features of a recurrent stack to scores over a vocabulary."""

from __future__ import annotations

from torch import Tensor, nn


class FrameHead(nn.Module):
    """Compute vocabulary scores for each frame, optionally several output frames per input frame.

    A recurrent stack is cheaper at a low frame rate; the head restores the time resolution that CTC needs.

    Args:
        input_size: features F of an input frame.
        vocabulary: number of tokens V.
        frames: output frames per input frame; lengths grow by this factor.
    Example:
        >>> import torch
        >>> FrameHead(8, 29, frames=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 10, 29])
    """

    def __init__(self, input_size: int, vocabulary: int, frames: int = 1) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.linear = nn.Linear(input_size, vocabulary * frames)

    def forward(self, x: Tensor) -> Tensor:
        """Map features `[B, T, F]` to unnormalised log-probabilities `[B, T * frames, V]`."""
        y: Tensor = self.linear(x)
        return y.reshape(len(x), -1, self.vocabulary)
