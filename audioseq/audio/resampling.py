"""Conversion of the sample rate, block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def resampled(
    blocks: Iterator[NDArray[np.float32]], rate_in: int, rate_out: int, channels: int = 1
) -> Iterator[NDArray[np.float32]]:
    """Yield a waveform, given in blocks, at another sample rate; at least one sample."""
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr  # torchaudio's resampler builds a filter of gigabytes for rates without a common divisor

    resampler = soxr.ResampleStream(rate_in, rate_out, num_channels=channels, dtype="float32")
    made, last = 0, np.zeros(0 if channels == 1 else (0, channels), np.float32)
    for block in blocks:
        made += len(output := resampler.resample_chunk(block))
        last = block
        yield output
    made += len(rest := resampler.resample_chunk(last[:0], last=True))
    yield rest if made else last[:1]
