from __future__ import annotations

import math
from itertools import groupby, pairwise, product

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.forced_alignment import (
    END_ADVANCE_SECONDS,
    ONSET_DELAY_SECONDS,
    Span,
    align,
    align_words,
    correct_timestamps,
    to_words,
)
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import CharTokenizer

Seeds = st.integers(0, 2**32 - 1)


def random_log_probs(seed: int, frames: int, vocabulary: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(scale=3, size=(frames, vocabulary))
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def needed(targets: list[int]) -> int:
    return len(targets) + sum(a == b for a, b in pairwise(targets))


def check(spans: list[Span], log_probs: np.ndarray, path: tuple[int, ...]) -> None:
    """Compare an alignment with a path of tokens, run by run."""
    runs = [list(run) for _, run in groupby(enumerate(path), key=lambda item: item[1])]
    token_runs = [run for run in runs if run[0][1] != 0]
    assert [span[:2] for span in spans] == [(run[0][0], run[-1][0] + 1) for run in token_runs]
    means = [np.mean([log_probs[frame, token] for frame, token in run]) for run in token_runs]
    assert [span.score for span in spans] == pytest.approx(means)


@settings(deadline=None, max_examples=60)
@given(Seeds, st.integers(1, 6), st.lists(st.integers(1, 2), min_size=1, max_size=4))
def test_an_alignment_equals_the_best_of_all_paths(seed: int, frames: int, targets: list[int]) -> None:
    assume(needed(targets) <= frames)
    log_probs = random_log_probs(seed, frames, 3)
    paths = (
        path
        for path in product(range(3), repeat=frames)
        if [token for token, _ in groupby(path) if token != 0] == targets
    )
    best = max(paths, key=lambda path: log_probs[np.arange(frames), path].sum())
    check(align(log_probs, targets), log_probs, best)


@settings(deadline=None, max_examples=40)
@given(Seeds, st.integers(1, 80), st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_an_alignment_equals_that_of_torchaudio(seed: int, frames: int, targets: list[int]) -> None:
    assume(needed(targets) <= frames)
    log_probs = random_log_probs(seed, frames, 6)
    path, scores = torchaudio.functional.forced_align(
        torch.from_numpy(log_probs)[None], torch.tensor([targets], dtype=torch.int32), blank=0
    )
    theirs = torchaudio.functional.merge_tokens(path[0], scores[0])
    ours = align(log_probs, targets)
    assert [span[:2] for span in ours] == [(span.start, span.end) for span in theirs]
    assert [span.score for span in ours] == pytest.approx([span.score for span in theirs])


@settings(deadline=None, max_examples=40)
@given(Seeds, st.integers(0, 40))
def test_the_alignment_of_the_best_path_is_the_best_path(seed: int, frames: int) -> None:
    log_probs = random_log_probs(seed, frames, 4)
    best = greedy(log_probs)
    spans = align(log_probs, best.tokens)
    assert tuple(span[:2] for span in spans) == best.frames
    assert tuple(span.score for span in spans) == pytest.approx(best.scores)


def test_impossible_tokens_stay_in_order() -> None:
    log_probs = np.where(np.eye(4)[[1, 1, 1, 0, 2]] > 0, 0.0, -np.inf)
    spans = align(log_probs, [1, 3, 2])
    assert [span[0] for span in spans] == sorted({span[0] for span in spans})
    assert (spans[0].score, spans[1].score, spans[2].score) == (0, -math.inf, 0)
    assert align(np.full((4, 3), -np.inf), [1, 1, 2]) == [
        (0, 1, -math.inf),
        (2, 3, -math.inf),
        (3, 4, -math.inf),
    ]


def test_no_targets_give_no_spans() -> None:
    assert align(np.zeros((3, 4)), []) == []
    assert align(np.zeros((0, 4)), []) == []


@pytest.mark.parametrize(
    ("targets", "frames", "message"),
    [
        ([1, 2, 1], 2, "3 targets need at least 3 frames .* got 2"),
        ([1, 1, 1], 4, "3 targets need at least 5 frames .* got 4"),
        ([1], 0, "1 targets need at least 1 frames"),
        ([1, 0], 5, "not the blank"),
        ([4], 5, "from 0 to 3"),
        ([-1], 5, "from 0 to 3"),
    ],
)
def test_targets_that_do_not_fit_or_are_out_of_range_are_errors(
    targets: list[int], frames: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        align(np.full((frames, 4), -1.4), targets)


def test_nan_is_an_error() -> None:
    with pytest.raises(ValueError, match="NaN"):
        align(np.full((3, 4), np.nan), [1])


def test_words_have_times_in_seconds_and_confidences() -> None:
    tokenizer = CharTokenizer()
    path = [0, 0, *tokenizer.encode("it"), 0, 1, 0, *tokenizer.encode("is"), 1, 0]
    probability = 0.9
    rest = (1 - probability) / (tokenizer.size - 1)
    log_probs = np.log(np.where(np.eye(tokenizer.size)[path] > 0, probability, rest))

    words = align_words(log_probs, tokenizer.encode("it is "), tokenizer, frame_seconds=0.04)

    assert [word.word for word in words] == ["it", "is"]
    assert [(word.start, word.end) for word in words] == [
        pytest.approx((0.08, 0.16)),
        pytest.approx((0.28, 0.36)),
    ]
    assert [word.confidence for word in words] == pytest.approx([probability, probability])


def test_confidence_is_the_geometric_mean_and_at_most_one() -> None:
    spans = [Span(0, 1, math.log(0.5)), Span(2, 4, math.log(0.125)), Span(4, 5, -9.0), Span(5, 6, 1e-9)]
    tokenizer = CharTokenizer()
    first, second = to_words(tokenizer.encode("ab c"), spans, tokenizer, 0.5)
    assert first.confidence == pytest.approx(0.25)
    assert (first.start, first.end, first.word) == (0.0, 2.0, "ab")
    assert second == Word(2.5, 3.0, "c", 1.0)
    assert to_words([], [], tokenizer, 0.5) == []


@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0.04, 0.5)), max_size=20))
def test_corrected_timestamps_are_in_order_and_not_empty(gaps: list[tuple[float, float]]) -> None:
    words, at = [], 0.0
    for gap, length in gaps:
        words.append(Word(at + gap, at + gap + length, "a", 0.5))
        at += gap + length
    corrected = correct_timestamps(words, at)
    assert len(corrected) == len(words)
    assert all(word.end > word.start >= 0 for word in corrected)
    assert all(one.end <= other.start for one, other in pairwise(corrected))
    for word, before in zip(corrected, words, strict=True):
        assert before.start - ONSET_DELAY_SECONDS <= word.start + 1e-9 <= before.start + 2e-9
        assert word.end <= before.end + END_ADVANCE_SECONDS
    assert not corrected or corrected[-1].end <= at
