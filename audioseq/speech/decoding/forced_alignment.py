"""CTC forced alignment: timestamps of the tokens and words of a known text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import BLANK, Tokenizer

ONSET_DELAY_SECONDS = 0.06
"""Delay of the first token of a word after the start of the word: the median over 722 words synthesised with
festival, which reports their times. Measured with an earlier english-small, at 80 ms per frame."""
END_ADVANCE_SECONDS = 0.05
"""Time from the last token of a word to the end of the word: the median over 920 such words, measured with
english-small at 56 ms per frame. tests/benchmarks/bench_word_timestamps.py measures the remaining errors."""
_MIN_LOG_PROB = -1e6  # replaces log 0, so that an impossible token still has one best place


class Span(NamedTuple):
    """The frames of one token."""

    start: int
    end: int
    """The frame after the last."""
    score: float
    """Mean log-probability of the token over its frames."""


def align(log_probs: NDArray[np.floating], targets: Sequence[int], blank: int = BLANK) -> list[Span]:
    """Find the most probable CTC path of the targets (Viterbi).

    The states are the targets with a blank before, between and after them. At each frame, a path stays,
    advances by one state, or skips the blank between two different tokens; all states are computed at once.
    Source: Graves et al. 2006, "Connectionist temporal classification", section 4.1, with the maximum instead
    of the sum.

    Args:
        log_probs: log-probabilities `[T, V]`.
        targets: token ids `[U]`, without blanks.
        blank: id of the blank token.
    Returns:
        one span per target, in order and without overlap.
    Raises:
        ValueError: the targets do not fit into T frames or are out of range; a log-probability is NaN.
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
        raise ValueError(f"targets must be from 0 to {vocabulary - 1} and not the blank, {blank}")
    needed = len(labels) + int((labels[1:] == labels[:-1]).sum())
    if needed > frames:
        raise ValueError(
            f"{len(labels)} targets need at least {needed} frames (with blanks between repeats), got {frames}"
        )
    if np.isnan(log_probs).any():
        raise ValueError("log_probs has NaN values")

    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    path = _best_path(np.maximum(log_probs, _MIN_LOG_PROB, dtype=np.float64), states)
    spans = []
    for index, label in enumerate(labels):
        start, end = np.searchsorted(path, [2 * index + 1, 2 * index + 2])
        spans.append(Span(int(start), int(end), float(log_probs[start:end, label].mean(dtype=np.float64))))
    return spans


def align_words(
    log_probs: NDArray[np.floating], tokens: Sequence[int], tokenizer: Tokenizer, frame_seconds: float
) -> list[Word]:
    """Align the words of a text with a recording.

    Args:
        log_probs: log-probabilities `[T, V]`.
        tokens: token ids of the text `[U]`.
        tokenizer: the tokenizer of the tokens.
        frame_seconds: seconds between frames.
    Returns:
        the words with their times in seconds; the confidence of a word is the geometric mean of the
        probabilities of its tokens.
    Raises:
        ValueError: the text does not fit into the recording.
    """
    return to_words(tokens, align(log_probs, tokens), tokenizer, frame_seconds)


def to_words(
    tokens: Iterable[int], spans: Iterable[Span], tokenizer: Tokenizer, frame_seconds: float
) -> list[Word]:
    """Group aligned tokens into words with times and confidences, see `align_words`.

    Example:
        >>> from audioseq.text.tokenizer import CharTokenizer
        >>> (word,) = to_words([9, 10], [Span(3, 4, -0.1), Span(5, 6, -0.3)], CharTokenizer(), 0.04)
        >>> word.start, word.end, word.word, round(word.confidence, 3)
        (0.12, 0.24, 'hi', 0.819)
    """
    words: list[tuple[str, list[Span]]] = [("", [])]
    for token, span in zip(tokens, spans, strict=True):
        token_text = tokenizer.pieces[token]
        text, word_spans = ("", []) if token_text.startswith(" ") else words.pop()
        if letters := token_text.strip():
            text, word_spans = text + letters, [*word_spans, span]
        words.append((text, word_spans))
    return [
        Word(
            start=word_spans[0].start * frame_seconds,
            end=word_spans[-1].end * frame_seconds,
            word=text,
            confidence=min(1.0, math.exp(sum(span.score for span in word_spans) / len(word_spans))),
        )
        for text, word_spans in words
        if text
    ]


def correct_timestamps(words: Sequence[Word], duration: float) -> list[Word]:
    """Correct the word timestamps for the delay of CTC tokens.

    A word starts `ONSET_DELAY_SECONDS` before its first token and ends `END_ADVANCE_SECONDS` after its last
    one. Where two words would overlap, the first one ends at the start of the next, but keeps at least half
    of its time.

    Args:
        words: in order, with the times of their tokens in seconds.
        duration: the end of the recording in seconds.
    Example:
        >>> words = [Word(0.04, 0.5, "one", 0.9), Word(0.5, 0.8, "two", 0.9)]
        >>> [(word.start, word.end) for word in correct_timestamps(words, duration=0.82)]
        [(0.0, 0.44), (0.44, 0.82)]
    """
    corrected: list[Word] = []
    for word in words:
        start = max(word.start - ONSET_DELAY_SECONDS, 0.0)
        if corrected and start < corrected[-1].end:
            start = max(start, (corrected[-1].start + corrected[-1].end) / 2)
            corrected[-1] = replace(corrected[-1], end=start)
        corrected.append(replace(word, start=start))
    limits = [*(word.start for word in corrected[1:]), duration]
    pairs = zip(corrected, limits, strict=False)
    return [replace(word, end=min(word.end + END_ADVANCE_SECONDS, limit)) for word, limit in pairs]


def _best_path(log_probs: NDArray[np.float64], states: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index into `states` `[S]`, a sequence of tokens, of the best path at each frame `[T]`."""
    frames, count = len(log_probs), len(states)
    may_skip = np.zeros(count, dtype=bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    moves = np.zeros((frames, count), dtype=np.int8)  # states by which the best path to a state advanced
    score = np.full(count, -np.inf)
    score[:2] = log_probs[0, states[:2]]
    candidates = np.full((3, count), -np.inf)  # scores of the paths that advance by 0, 1 and 2 states
    for frame in range(1, frames):
        candidates[0] = score
        candidates[1, 1:] = score[:-1]
        np.copyto(candidates[2, 2:], score[:-2], where=may_skip[2:])
        moves[frame] = candidates.argmax(axis=0)
        score = candidates.max(axis=0) + log_probs[frame, states]
    path = np.empty(frames, dtype=np.int64)
    path[-1] = count - 1 if score[-1] > score[-2] else count - 2
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] - moves[frame, path[frame]]
    return path
