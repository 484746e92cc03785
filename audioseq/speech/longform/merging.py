"""Joining what a model hears in pieces that overlap, so that no word is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.longform.chunking import Chunk
from audioseq.text.tokenizer import BLANK, Tokenizer

_APART = 2
"""Most frames between the places at which two pieces hear the same word begin."""


class ChunkEmissions(NamedTuple):
    """A piece of a recording, and what the model hears in it."""

    chunk: Chunk
    log_probs: NDArray[np.floating]
    """`[T, V]`."""


class SegmentEmissions(NamedTuple):
    """What the model heard in a stretch of a recording that overlaps with no other."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    log_probs: NDArray[np.floating]
    """`[T, V]`."""
    chunk: Chunk
    """What it is heard in; that may go on a little on both sides."""


def merge_chunks(
    heard: Iterable[ChunkEmissions], tokenizer: Tokenizer, frame_seconds: float
) -> Iterator[SegmentEmissions]:
    """Turn what was heard in the pieces of a recording, in order, into emissions that do not overlap.

    Where two pieces share a stretch, the first is heard up to a frame in it, and the second from there on.
    Near its edges a model hears less well, so the frame is as near the middle as can be.
    """
    begins = np.array([chunk.startswith(" ") for chunk in tokenizer.pieces])
    before: SegmentEmissions | None = None
    for chunk, log_probs in heard:
        start, end = chunk.start / SAMPLE_RATE, chunk.end / SAMPLE_RATE
        if before is not None and chunk.overlap:
            first = round((start - before.start) / frame_seconds)
            frame = boundary_frame(before.log_probs[first:], log_probs, begins)
            start += frame * frame_seconds
            before = before._replace(end=start, log_probs=before.log_probs[: first + frame])
            log_probs = log_probs[frame:]
        if before is not None:
            yield before
        before = SegmentEmissions(start, end, log_probs, chunk)
    if before is not None:
        yield before


def boundary_frame(
    before: NDArray[np.floating], after: NDArray[np.floating], begins: NDArray[np.bool_]
) -> int:
    """Return the frame from which on the later of two pieces is to be heard.

    It lies between two words: neither piece hears a token there, and in both the next one begins a word, at
    about the same frame. Where the two hear no such place, it is where they are surest that there is nothing.

    Args:
        before: log-probabilities of the earlier piece from the first shared frame to its end `[F, V]`.
        after: those of the later piece from the first shared frame on `[T, V]`.
        begins: whether each token begins a word `[V]`.
    Example:
        >>> begins = np.array([False, True, False])
        >>> before, after = (np.log(np.eye(3)[path] + 0.1) for path in ([1, 2, 0, 0, 1, 2], [0, 2, 0, 1, 1]))
        >>> seam(before, after, begins)
        2
    """
    frames = min(len(before), len(after))
    middle = frames // 2
    (inside, following), (inside_too, following_too) = _next_words(before, begins), _next_words(after, begins)
    fits = ~(inside[:frames] | inside_too[:frames])
    following, following_too = (np.minimum(next_, frames)[:frames] for next_ in (following, following_too))
    fits &= np.abs(following - following_too) <= _APART
    if fits.any():
        places = np.flatnonzero(fits)
        return int(places[np.abs(places - middle).argmin()])
    quarter = frames // 4
    nothing = before[quarter : frames - quarter, BLANK] + after[quarter : frames - quarter, BLANK]
    return quarter + int(nothing.argmax()) if len(nothing) else middle


def _next_words(
    log_probs: NDArray[np.floating], begins: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Return whether each frame is inside a word, and the frame at which the next word begins `[T]`."""
    best = log_probs.argmax(axis=1)
    goes_on = (best != BLANK) & (best == np.concatenate([[BLANK], best[:-1]]))
    token = np.where(best != BLANK, np.arange(len(best)), len(best))  # where a token is
    following = np.minimum.accumulate(token[::-1])[::-1]
    word = np.append(begins[best], True)[following]  # the end counts as the beginning of a word
    return goes_on | ~word, following
