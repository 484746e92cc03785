"""Merging of overlapping chunks, without losing or repeating a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.longform.chunking import Chunk
from audioseq.text.tokenizer import BLANK, Tokenizer

Floats = NDArray[np.floating]

_MAX_WORD_START_DIFFERENCE = 2
"""Frames by which the start of the same word may differ between two chunks."""


class ChunkEmissions(NamedTuple):
    """A chunk of a recording, and its emissions."""

    chunk: Chunk
    log_probs: NDArray[np.floating]
    """`[T, V]`."""


class SegmentEmissions(NamedTuple):
    """Emissions of a part of a recording that does not overlap with other parts."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    log_probs: NDArray[np.floating]
    """`[T, V]`."""
    chunk: Chunk
    """The chunk from which the emissions were computed; it may extend beyond both ends."""


def merge_chunks(
    chunks: Iterable[ChunkEmissions], tokenizer: Tokenizer, frame_seconds: float
) -> Iterator[SegmentEmissions]:
    """Merge the emissions of the chunks of a recording, in order, into segments without overlap.

    In the overlap of two chunks, the frames before a boundary come from the first chunk and the others from
    the second. The boundary is as near to the middle of the overlap as possible, because models are less
    accurate at the edges of a chunk.
    """
    starts_word = np.array([text.startswith(" ") for text in tokenizer.pieces])
    previous: SegmentEmissions | None = None
    for chunk, log_probs in chunks:
        start, end = chunk.start / SAMPLE_RATE, chunk.end / SAMPLE_RATE
        if previous is not None and chunk.overlap:
            first = round((start - previous.start) / frame_seconds)
            frame = boundary_frame(previous.log_probs[first:], log_probs, starts_word)
            start += frame * frame_seconds
            previous = previous._replace(end=start, log_probs=previous.log_probs[: first + frame])
            log_probs = log_probs[frame:]
        if previous is not None:
            yield previous
        previous = SegmentEmissions(start, end, log_probs, chunk)
    if previous is not None:
        yield previous


def boundary_frame(before: Floats, after: Floats, starts_word: NDArray[np.bool_]) -> int:
    """Return the first frame that is taken from the later of two overlapping chunks.

    The frame lies between two words: no best path is inside a word there, and the next word starts at about
    the same frame in both. Without such a frame, it is the one with the most probable blanks in the middle
    half of the overlap.

    Args:
        before: log-probabilities of the earlier chunk, from the first shared frame to its end `[F, V]`.
        after: log-probabilities of the later chunk, from the first shared frame `[T, V]`.
        starts_word: whether each token starts a word `[V]`.
    Example:
        >>> starts_word = np.array([False, True, False])
        >>> before, after = (np.log(np.eye(3)[path] + 0.1) for path in ([1, 2, 0, 0, 1, 2], [0, 2, 0, 1, 1]))
        >>> boundary_frame(before, after, starts_word)
        2
    """
    frames = min(len(before), len(after))
    middle = frames // 2
    inside_before, next_before = _next_words(before, starts_word)
    inside_after, next_after = _next_words(after, starts_word)
    next_before, next_after = (np.minimum(each, frames)[:frames] for each in (next_before, next_after))
    between = ~(inside_before[:frames] | inside_after[:frames])
    between &= np.abs(next_before - next_after) <= _MAX_WORD_START_DIFFERENCE
    if between.any():
        candidates = np.flatnonzero(between)
        return int(candidates[np.abs(candidates - middle).argmin()])
    quarter = frames // 4
    blank = before[quarter : frames - quarter, BLANK] + after[quarter : frames - quarter, BLANK]
    return quarter + int(blank.argmax()) if len(blank) else middle


def _next_words(log_probs: Floats, starts_word: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Floats]:
    """Return whether each frame is inside a word, and the frame of the next token `[T]`."""
    best = log_probs.argmax(axis=1)
    repeated = (best != BLANK) & (best == np.concatenate([[BLANK], best[:-1]]))
    token_frame = np.where(best != BLANK, np.arange(len(best)), len(best))
    next_token = np.minimum.accumulate(token_frame[::-1])[::-1]
    before_word = np.append(starts_word[best], True)[next_token]  # the end counts as the start of a word
    return repeated | ~before_word, next_token
