"""Recordings kept in the memory of the training device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from audioseq.audio import SAMPLE_RATE

BYTES_PER_SECOND = 2 * SAMPLE_RATE
MAX_SHARE = 0.5
"""Recordings take at most this share of a GPU's free memory."""


class ResidentSamples:
    """All recordings of a training set in one tensor, so that a batch needs only their numbers.

    An hour of speech takes 115 MB.

    Args:
        recordings: 16-bit samples `[N]` of each, memory-mapped if they are many.
        device: where they stay.
    """

    def __init__(self, recordings: Sequence[np.ndarray], device: torch.device) -> None:
        self.lengths = list(map(len, recordings))
        ends = np.cumsum(self.lengths)
        self.starts = (ends - self.lengths).tolist()
        self._samples = torch.zeros(int(ends[-1]), dtype=torch.int16, device=device)
        for samples, start in zip(recordings, self.starts, strict=True):
            self._samples[start : start + len(samples)] = torch.from_numpy(np.array(samples)).to(device)

    def read(self, numbers: Sequence[int]) -> Tensor:
        """Return the samples of recordings `[B, N]`, int16, 0 on padding, on the device."""
        device = self._samples.device

        def column(values: Sequence[int]) -> Tensor:
            chosen = torch.tensor([values[number] for number in numbers])
            return chosen.to(device, non_blocking=device.type == "cuda").unsqueeze(1)

        time = torch.arange(max(self.lengths[number] for number in numbers), device=device)
        places = (column(self.starts) + time).clamp_(max=len(self._samples) - 1)
        return self._samples[places] * (time < column(self.lengths))


def is_resident(mode: str, seconds: Iterable[float], device: torch.device) -> bool:
    """Return whether recordings stay in the memory of a device.

    Args:
        mode: `data.resident` of the recipe.
        seconds: durations of the recordings.
        device: that trains.
    """
    if mode != "auto" or device.type != "cuda":
        return mode == "always"
    free, _ = torch.cuda.mem_get_info(device)
    return BYTES_PER_SECOND * sum(seconds) <= MAX_SHARE * free
