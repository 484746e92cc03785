"""SpecAugment: masks of frequency bands and time spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FRAMES_PER_SECOND = 100
"""Frame rate of the default hop length at 16 kHz."""


@dataclass(frozen=True)
class SpecAugment:
    """Mask random frequency bands and time spans of normalised features.

    Masked values become 0, the mean. The number of time masks is proportional to the length of the utterance.
    Source: Park et al. 2019 (SpecAugment) and 2020 (adaptive masks), without time warping.

    Args:
        freq_masks: number of frequency masks.
        freq_width: maximum width of a frequency mask, mel bands.
        time_masks_per_second: average number of time masks per second (100 frames).
        time_width: maximum length of a time mask, frames.
    """

    freq_masks: int = 2
    freq_width: int = 15
    time_masks_per_second: float = 0.4
    time_width: int = 25

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name} is {value}, but must be at least 0")

    def __call__(self, features: Tensor, generator: torch.Generator) -> Tensor:
        """Return a copy of features `[T, F]` with random masks."""
        import torch  # not at the top: options of training are read where torch is not installed

        frames, bands = features.shape
        features = features.clone()
        expected = frames / FRAMES_PER_SECOND * self.time_masks_per_second
        time_masks = int(expected + torch.rand((), generator=generator).item())
        for start, stop in _spans(self.freq_masks, self.freq_width, bands, generator):
            features[:, start:stop] = 0
        for start, stop in _spans(time_masks, self.time_width, frames, generator):
            features[start:stop] = 0
        return features


def _spans(count: int, max_width: int, size: int, generator: torch.Generator) -> list[tuple[int, int]]:
    """Draw `count` spans in 0..size, with uniform width in 0..max_width and uniform position."""
    import torch

    spans = []
    for draw_width, draw_start in torch.rand(count, 2, generator=generator, dtype=torch.float64).tolist():
        width = int(draw_width * (min(max_width, size) + 1))
        start = int(draw_start * (size - width + 1))
        spans.append((start, start + width))
    return spans
