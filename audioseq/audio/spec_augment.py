"""SpecAugment: masks of frequency bands and time spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FRAMES_PER_SECOND = 100
"""Frame rate of the default hop length at 16 kHz."""

Spans = tuple[tuple[int, int], ...]
"""First index and the index after the last of each span."""


class Masks(NamedTuple):
    """The masked parts of the features of one recording."""

    bands: Spans
    frames: Spans


@dataclass(frozen=True)
class SpecAugment:
    """Mask random frequency bands and time spans of normalised features.

    The number of time masks is proportional to the length of the utterance. Source: Park et al. 2019
    (SpecAugment) and 2020 (adaptive masks), without time warping.

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

    def draw(self, frames: int, bands: int, generator: torch.Generator) -> Masks:
        """Draw the masks of features `[T, F]` of this size."""
        import torch  # not at the top: options of training are read where torch is not installed

        expected = frames / FRAMES_PER_SECOND * self.time_masks_per_second
        time_masks = int(expected + torch.rand((), generator=generator).item())
        return Masks(
            _spans(self.freq_masks, self.freq_width, bands, generator),
            _spans(time_masks, self.time_width, frames, generator),
        )


def apply_masks(features: Tensor, masks: Sequence[Masks]) -> Tensor:
    """Return features `[B, T, F]` with the masks of each recording; masked values are 0, the mean.

    Example:
        >>> import torch
        >>> apply_masks(torch.ones(1, 2, 3), [Masks(((1, 3),), ())]).tolist()
        [[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]]
    """
    import torch

    size, frames, bands = features.shape
    hidden_bands = torch.zeros(size, 1, bands, dtype=torch.bool)
    hidden_frames = torch.zeros(size, frames, 1, dtype=torch.bool)
    for row, each in enumerate(masks):
        for start, stop in each.bands:
            hidden_bands[row, :, start:stop] = True
        for start, stop in each.frames:
            hidden_frames[row, start:stop] = True
    hidden = hidden_bands.to(features.device) | hidden_frames.to(features.device)
    return features.masked_fill(hidden, 0.0)


def _spans(count: int, max_width: int, size: int, generator: torch.Generator) -> Spans:
    """Draw `count` spans in 0..size, with uniform width in 0..max_width and uniform position."""
    import torch

    spans = []
    for draw_width, draw_start in torch.rand(count, 2, generator=generator, dtype=torch.float64).tolist():
        width = int(draw_width * (min(max_width, size) + 1))
        start = int(draw_start * (size - width + 1))
        spans.append((start, start + width))
    return tuple(spans)
