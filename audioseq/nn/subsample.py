"""Convolutional front end that reduces the frame rate before the recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import gelu

from audioseq.nn.masking import Padding


class Subsample(nn.Module):
    """Reduce the frame rate by strided convolutions over time, each by a factor of 2.

    The cost of recurrent layers is proportional to the number of frames, and speech changes more slowly than
    its 10 ms frames. Each convolution (kernel 5, stride 2) is followed by layer norm and GELU. Padding is set
    to zero before each convolution, so it does not affect valid frames.

    Args:
        input_size: features F of an input frame.
        channels: output features of each convolution.
    Example:
        >>> import torch
        >>> y, lengths = Subsample(80, (16, 32))(torch.zeros(2, 100, 80), torch.tensor([100, 51]))
        >>> y.shape, lengths.tolist()
        (torch.Size([2, 25, 32]), [25, 13])
    """

    def __init__(self, input_size: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(size, channel, kernel_size=5, stride=2, padding=2)
            for size, channel in zip([input_size, *channels], channels, strict=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channel) for channel in channels)

    @property
    def factor(self) -> int:
        """Input frames per output frame."""
        return 1 << len(self.convolutions)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Reduce the frame rate of a padded batch.

        Args:
            x: features `[B, T, F]`.
            lengths: valid frames, int64 `[B]`.
        Returns:
            features `[B, T', channels[-1]]`, exactly 0 on padding, and the valid frames of each sequence
            `[B]`; each convolution maps n frames to ceil(n / 2).
        """
        x = Padding(lengths, x.shape[1]).clear(x)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = gelu(norm(convolution(x.transpose(1, 2)).transpose(1, 2)))
            lengths = (lengths + 1) // 2
            x = Padding(lengths, x.shape[1]).clear(x)
        return x, lengths
