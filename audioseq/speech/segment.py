"""Cutting a long recording into pieces that a model can take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HOP_SECONDS = 0.01
_WINDOW_HOPS = 20
"""A cut lies in the middle of the 0.2 s with the least energy: about the pause between two phrases."""


def cut(waveform: NDArray[np.floating], sample_rate: int, max_seconds: float = 20.0) -> list[tuple[int, int]]:
    """Cut a recording at its quietest points; the pieces cover all of it, without gaps or overlaps.

    Each cut lies at the quietest place between half of `max_seconds` and all of it after the cut before;
    the last piece is at least a quarter of `max_seconds`. Of equally quiet places (silence) it takes the
    middle one.

    Args:
        waveform: `[N]`.
        sample_rate: in Hz.
        max_seconds: length of the longest piece, at least 1.
    Returns:
        first sample of each piece and the sample after its last, in order; one piece where that is short
        enough.
    Example:
        >>> waveform = np.tile([0.5, -0.5], 15_000)
        >>> waveform[11_500:12_500] = 0
        >>> cut(waveform, sample_rate=1000)
        [(0, 12000), (12000, 30000)]
    """
    if max_seconds < 1:
        raise ValueError(f"max_seconds must be at least 1, got {max_seconds}")
    longest = int(max_seconds * sample_rate)
    hop = round(sample_rate * _HOP_SECONDS)
    energy = _window_energy(waveform, hop) if len(waveform) > longest else np.empty(0)
    pieces: list[tuple[int, int]] = []
    start = 0
    while len(waveform) - start > longest:
        earliest = start + longest // 2
        latest = min(start + longest, len(waveform) - longest // 4)
        # The window in the middle of which `earliest` lies, or the one just after it.
        first = -(-earliest // hop) - _WINDOW_HOPS // 2
        places = energy[first : latest // hop - _WINDOW_HOPS // 2 + 1]
        quietest = np.flatnonzero(places == places.min())
        end = (first + int(quietest[len(quietest) // 2]) + _WINDOW_HOPS // 2) * hop
        pieces.append((start, end))
        start = end
    if start < len(waveform):
        pieces.append((start, len(waveform)))
    return pieces


def _window_energy(waveform: NDArray[np.floating], hop: int) -> NDArray[np.float64]:
    """Return the mean power of the windows that begin at each hop, without what is constant within a hop."""
    hops = waveform[: len(waveform) // hop * hop].reshape(-1, hop)
    power = np.einsum("ij,ij->i", hops, hops) / hop - hops.mean(axis=1) ** 2
    return np.convolve(power, np.full(_WINDOW_HOPS, 1 / _WINDOW_HOPS), mode="valid")
