"""Where each token and each word of a known text lies in a recording."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import BLANK, Tokenizer

LATE = 0.06
"""Seconds by which the first token of a word is heard after the word begins: the median over 722 words that
festival spoke, whose times it knows. Measured with a former english-small, at 80 ms a frame."""
ON = 0.05
"""Seconds by which a word goes on after its last token is heard: the median over 920 such words, with
english-small at 56 ms a frame. tests/benchmarks/bench_times.py measures what is left on other sentences."""
_FLOOR = -1e6  # stands in for log 0, so that an impossible token still has one best place


class Span(NamedTuple):
    """The frames of one token."""

    start: int
    end: int
    """The frame after the last."""
    score: float
    """Mean log-probability of the token over its frames."""


def align(log_probs: NDArray[np.floating], targets: Sequence[int], blank: int = BLANK) -> list[Span]:
    """Find the most probable CTC path that spells the targets (Viterbi).

    The states are the targets with a blank before, between and after them. From one frame to the next a
    path stays, moves on by one state, or skips the blank between two different tokens; all states are
    computed at once. Source: Graves et al. 2006, "Connectionist temporal classification", section 4.1, with
    max for the sum.

    Args:
        log_probs: log-probabilities `[T, V]`.
        targets: token ids `[U]`, without blanks.
        blank: the token that stands for nothing.
    Returns:
        one span for each target, in order, without overlaps.
    Raises:
        ValueError: the targets do not fit into T frames, or are not tokens; a log-probability is NaN.
    Example:
        >>> log_probs = np.log(np.eye(3)[[0, 1, 1, 0, 2]] * 0.7 + 0.1)
        >>> [(span.start, span.end) for span in align(log_probs, [1, 2])]
        [(1, 3), (4, 5)]
    """
    frames, vocabulary = log_probs.shape
    labels = np.asarray(targets, dtype=np.int64)
    if not len(labels):
        return []
    if labels.min() < 0 or labels.max() >= vocabulary or (labels == blank).any():
        raise ValueError(f"targets must be tokens from 0 to {vocabulary - 1} and not the blank, {blank}")
    needed = len(labels) + int((labels[1:] == labels[:-1]).sum())
    if needed > frames:
        raise ValueError(
            f"{len(labels)} targets need at least {needed} frames, repeats counted; there are {frames}"
        )
    if np.isnan(log_probs).any():
        raise ValueError("log_probs has NaN values")

    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    path = _best_path(np.maximum(log_probs, _FLOOR, dtype=np.float64), states)
    spans = []
    for index, label in enumerate(labels):
        start, end = np.searchsorted(path, [2 * index + 1, 2 * index + 2])
        spans.append(Span(int(start), int(end), float(log_probs[start:end, label].mean(dtype=np.float64))))
    return spans


def align_words(
    log_probs: NDArray[np.floating], tokens: Sequence[int], tokenizer: Tokenizer, frame_seconds: float
) -> list[Word]:
    """Find the words of a text in a recording.

    Args:
        log_probs: log-probabilities `[T, V]`.
        tokens: the text's token ids `[U]`.
        tokenizer: what the tokens mean.
        frame_seconds: seconds from one frame to the next.
    Returns:
        the words with their times in seconds; a confidence is the geometric mean of its tokens'
        probabilities.
    Raises:
        ValueError: the text does not fit into the recording.
    """
    return to_words(tokens, align(log_probs, tokens), tokenizer, frame_seconds)


def to_words(
    tokens: Iterable[int], spans: Iterable[Span], tokenizer: Tokenizer, frame_seconds: float
) -> list[Word]:
    """Join tokens whose places are known to words with times and confidences, as `align_words` does.

    Example:
        >>> from audioseq.text.tokenizer import CharTokenizer
        >>> to_words([9, 10], [Span(3, 4, -0.1), Span(5, 6, -0.3)], CharTokenizer(), 0.04)
        [Word(start=0.12, end=0.24, word='hi', confidence=0.8187307530779818)]
    """
    spelt: list[tuple[str, list[Span]]] = [("", [])]
    for token, span in zip(tokens, spans, strict=True):
        piece = tokenizer.pieces[token]
        text, places = ("", []) if piece.startswith(" ") else spelt.pop()
        if letters := piece.strip():
            text, places = text + letters, [*places, span]
        spelt.append((text, places))
    return [
        Word(
            start=places[0].start * frame_seconds,
            end=places[-1].end * frame_seconds,
            word=text,
            confidence=min(1.0, math.exp(sum(span.score for span in places) / len(places))),
        )
        for text, places in spelt
        if text
    ]


def as_spoken(words: Sequence[Word], until: float) -> list[Word]:
    """Move words, in order, to where they are spoken: from `LATE` before they are first heard to `ON` after.

    A word that would be heard still ends where the next one begins, but keeps half of its time.

    Args:
        words: with times in seconds.
        until: where the recording ends.
    Example:
        >>> words = as_spoken([Word(0.04, 0.5, "one", 0.9), Word(0.5, 0.8, "two", 0.9)], until=0.82)
        >>> [(word.start, word.end) for word in words]
        [(0.0, 0.44), (0.44, 0.82)]
    """
    moved: list[Word] = []
    for word in words:
        start = max(word.start - LATE, 0.0)
        if moved and start < moved[-1].end:
            start = max(start, (moved[-1].start + moved[-1].end) / 2)
            moved[-1] = replace(moved[-1], end=start)
        moved.append(replace(word, start=start))
    limits = [*(word.start for word in moved[1:]), until]
    return [replace(word, end=min(word.end + ON, limit)) for word, limit in zip(moved, limits, strict=False)]


def _best_path(log_probs: NDArray[np.float64], states: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in `states` `[S]`, a row of tokens, the best path is at each frame `[T]`."""
    frames, count = len(log_probs), len(states)
    may_skip = np.zeros(count, dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    moves = np.zeros((frames, count), dtype=np.int8)  # by how many states the best way into a state came on
    score = np.full(count, -np.inf)
    score[:2] = log_probs[0, states[:2]]
    ways = np.full((3, count), -np.inf)
    for frame in range(1, frames):
        ways[0] = score
        ways[1, 1:] = score[:-1]
        np.copyto(ways[2, 2:], score[:-2], where=may_skip[2:])
        moves[frame] = ways.argmax(axis=0)
        score = ways.max(axis=0) + log_probs[frame, states]
    path = np.empty(frames, dtype=np.int64)
    path[-1] = count - 1 if score[-1] > score[-2] else count - 2
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] - moves[frame, path[frame]]
    return path
