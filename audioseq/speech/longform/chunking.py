"""Cutting a recording of any length, while it is read, into pieces that a model can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_SECONDS = 20.0
"""Longest piece given to a model at once."""
_HOP_SECONDS = 0.01
_WINDOW_HOPS = 20
"""A cut lies in the middle of the 0.2 s with the least energy: about the pause between two phrases."""
_PAUSE = 0.01
"""Power of a pause, relative to the sound around it: 20 dB below it no vowel is as quiet, and the closure of
a consonant is shorter than the window."""
_LONG_HOPS = 30
"""A pause of 0.3 s mostly ends a sentence or a clause, and language models have learnt from sentences."""
_SHARED = 10
"""Pieces that do not meet in a pause share a tenth of the longest piece: 2 s, a handful of words."""


class Chunk(NamedTuple):
    """A stretch of a recording."""

    start: int
    """Its first sample, counted from the beginning of the recording."""
    waveform: NDArray[np.floating]
    """`[N]`."""
    overlap: int = 0
    """How many of its first samples are the last of the piece before, too: 0 where they meet in a pause."""

    @property
    def end(self) -> int:
        """The sample after its last."""
        return self.start + len(self.waveform)


def iter_chunks(
    blocks: Iterable[NDArray[np.floating]], sample_rate: int, max_seconds: float = MAX_SECONDS
) -> Iterator[Chunk]:
    """Cut a recording at its pauses; the pieces cover all of it, without gaps.

    Each cut lies in the first long pause, else at the quietest place, between a quarter of `max_seconds` and
    nearly all of it after the cut before; no piece is shorter. Of equally quiet places (silence) it takes the
    middle one. If the quietest place is no pause, as in music or noise, both pieces go on beyond it by a
    twentieth of `max_seconds`, for a word may be there: what each hears in the overlap tells where to join
    them. No more than 1.25 times `max_seconds` and a block are held at once.

    Args:
        blocks: the waveform, in blocks `[n]` of any lengths; they change nothing.
        sample_rate: in Hz.
        max_seconds: length of the longest piece, at least 1.
    Yields:
        the pieces in order; one where the recording is short enough, none where it is empty.
    Example:
        >>> waveform = np.tile([0.5, -0.5], 15_000)
        >>> waveform[11_500:12_500] = 0
        >>> [(piece.start, piece.end) for piece in cut([waveform], sample_rate=1000)]
        [(0, 12000), (12000, 30000)]
    """
    if max_seconds < 1:
        raise ValueError(f"max_seconds must be at least 1, got {max_seconds}")
    longest = int(max_seconds * sample_rate)
    hop = round(sample_rate * _HOP_SECONDS)
    beyond = longest // _SHARED // 2 // hop * hop
    start = overlap = held = 0
    parts: list[NDArray[np.floating]] = []

    def cut_off(waveform: NDArray[np.floating]) -> tuple[Chunk, NDArray[np.floating]]:
        nonlocal start, overlap
        latest = min(longest - beyond, len(waveform) - longest // 4)
        at, pause = _place(waveform, hop, longest // 4, latest)
        more = 0 if pause else beyond
        chunk = Chunk(start, waveform[: at + more], overlap)
        start, overlap = start + at - more, 2 * more
        return chunk, waveform[at - more :]

    for block in blocks:
        parts.append(block)
        held += len(block)
        if held > longest + longest // 4:
            waveform = np.concatenate(parts)
            while len(waveform) > longest + longest // 4:
                chunk, waveform = cut_off(waveform)
                yield chunk
            parts, held = [waveform], len(waveform)
    waveform = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    while len(waveform) > longest:
        chunk, waveform = cut_off(waveform)
        yield chunk
    if len(waveform):
        yield Chunk(start, waveform, overlap)


def _place(waveform: NDArray[np.floating], hop: int, earliest: int, latest: int) -> tuple[int, bool]:
    """Return where to cut between two samples, and whether a pause is there."""
    first = -(-earliest // hop) - _WINDOW_HOPS // 2
    last = latest // hop + _WINDOW_HOPS // 2
    energy = _window_energy(waveform[first * hop : last * hop], hop)
    quiet = energy <= _PAUSE * energy.mean()
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    long = edges[edges[:, 1] - edges[:, 0] > _LONG_HOPS - _WINDOW_HOPS]
    quietest = np.arange(*long[0]) if len(long) else np.flatnonzero(energy == energy.min())
    at = (first + int(quietest[len(quietest) // 2]) + _WINDOW_HOPS // 2) * hop
    return at, bool(quiet.any())


def _window_energy(waveform: NDArray[np.floating], hop: int) -> NDArray[np.float64]:
    """Return the mean power of the windows that begin at each hop, without what is constant within a hop."""
    hops = waveform[: len(waveform) // hop * hop].reshape(-1, hop).astype(np.float64)
    power = np.einsum("ij,ij->i", hops, hops) / hop - hops.mean(axis=1) ** 2
    return np.convolve(power, np.full(_WINDOW_HOPS, 1 / _WINDOW_HOPS), mode="valid")
