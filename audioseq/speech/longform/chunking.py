"""Chunking: split a recording of any length, while it is read, into chunks for the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_SECONDS = 20.0
"""Maximum length of a chunk."""
_HOP_SECONDS = 0.01
_WINDOW_HOPS = 20
"""A boundary lies in the middle of the 0.2 s with the least energy, about a pause between phrases."""
_PAUSE_POWER_RATIO = 0.01
"""Power of a pause, relative to the mean (-20 dB): no vowel is as quiet, and the closure of a consonant is
shorter than the window."""
_LONG_PAUSE_HOPS = 30
"""A pause of 0.3 s usually ends a sentence or a clause, and language models are trained on sentences."""
_OVERLAP_DIVISOR = 10
"""Chunks without a pause between them overlap by a tenth of the maximum length: 2 s, a few words."""


class Chunk(NamedTuple):
    """A part of a recording."""

    start: int
    """Index of the first sample in the recording."""
    waveform: NDArray[np.floating]
    """`[N]`."""
    overlap: int = 0
    """Number of samples shared with the previous chunk; 0 if a pause separates them."""

    @property
    def end(self) -> int:
        """Index after the last sample."""
        return self.start + len(self.waveform)


def iter_chunks(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, max_seconds: float = MAX_SECONDS
) -> Iterator[Chunk]:
    """Split a recording at its pauses into chunks that cover it without gaps.

    A chunk boundary lies in the first long pause, else at the quietest point, at least a quarter of
    `max_seconds` and at most nearly `max_seconds` after the previous boundary. Among equally quiet points
    (silence), it is the middle one. If the quietest point is not a pause, as in music or noise, it may be
    inside a word: both chunks then extend beyond it by a twentieth of `max_seconds`, and `merge_chunks` finds
    a boundary between words in the overlap. The memory holds at most 1.25 times `max_seconds` and one block.

    Args:
        blocks: the waveform, in blocks `[n]` of any lengths, which do not influence the chunks.
        sample_rate: in Hz.
        max_seconds: maximum length of a chunk, at least 1.
    Yields:
        the chunks in order; a single one for a short recording, none for an empty one.
    Example:
        >>> waveform = np.tile([0.5, -0.5], 15_000)
        >>> waveform[11_500:12_500] = 0
        >>> [(chunk.start, chunk.end) for chunk in iter_chunks([waveform], sample_rate=1000)]
        [(0, 12000), (12000, 30000)]
    """
    if max_seconds < 1:
        raise ValueError(f"max_seconds must be at least 1, got {max_seconds}")
    longest = int(max_seconds * sample_rate)
    hop = round(sample_rate * _HOP_SECONDS)
    margin = longest // _OVERLAP_DIVISOR // 2 // hop * hop
    start = overlap = buffered = 0
    parts: list[NDArray[np.floating]] = []

    def split_off(waveform: NDArray[np.floating]) -> tuple[Chunk, NDArray[np.floating]]:
        nonlocal start, overlap
        latest = min(longest - margin, len(waveform) - longest // 4)
        boundary, pause = _find_boundary(waveform, hop, longest // 4, latest)
        extra = 0 if pause else margin
        chunk = Chunk(start, waveform[: boundary + extra], overlap)
        start, overlap = start + boundary - extra, 2 * extra
        return chunk, waveform[boundary - extra :]

    for block in blocks:
        parts.append(block)
        buffered += len(block)
        if buffered > longest + longest // 4:
            waveform = np.concatenate(parts)
            while len(waveform) > longest + longest // 4:
                chunk, waveform = split_off(waveform)
                yield chunk
            parts, buffered = [waveform], len(waveform)
    waveform = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    while len(waveform) > longest:
        chunk, waveform = split_off(waveform)
        yield chunk
    if len(waveform):
        yield Chunk(start, waveform, overlap)


def batch_chunks(chunks: Iterable[Chunk], max_samples: int) -> Iterator[list[Chunk]]:
    """Group neighbouring chunks into batches of at most `max_samples` with padding, or of a single chunk."""
    batch: list[Chunk] = []
    longest = 0
    for chunk in chunks:
        if batch and max(longest, len(chunk.waveform)) * (len(batch) + 1) > max_samples:
            yield batch
            batch, longest = [], 0
        batch.append(chunk)
        longest = max(longest, len(chunk.waveform))
    if batch:
        yield batch


def _find_boundary(waveform: NDArray[np.floating], hop: int, earliest: int, latest: int) -> tuple[int, bool]:
    """Return the sample of the best boundary between two samples, and whether it lies in a pause."""
    first = -(-earliest // hop) - _WINDOW_HOPS // 2
    last = latest // hop + _WINDOW_HOPS // 2
    energy = _window_energy(waveform[first * hop : last * hop], hop)
    quiet = energy <= _PAUSE_POWER_RATIO * energy.mean()
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    long = edges[edges[:, 1] - edges[:, 0] > _LONG_PAUSE_HOPS - _WINDOW_HOPS]
    quietest = np.arange(*long[0]) if len(long) else np.flatnonzero(energy == energy.min())
    boundary = (first + int(quietest[len(quietest) // 2]) + _WINDOW_HOPS // 2) * hop
    return boundary, bool(quiet.any())


def _window_energy(waveform: NDArray[np.floating], hop: int) -> NDArray[np.float64]:
    """Return the mean power of the window that starts at each hop, without the DC offset of each hop."""
    hops = waveform[: len(waveform) // hop * hop].reshape(-1, hop).astype(np.float64)
    power = np.einsum("ij,ij->i", hops, hops) / hop - hops.mean(axis=1) ** 2
    return np.convolve(power, np.full(_WINDOW_HOPS, 1 / _WINDOW_HOPS), mode="valid")
