from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.decoding.greedy import BestPath, greedy

Paths = st.lists(st.integers(0, 3), max_size=20)


def emissions(path: list[int], seed: int = 0) -> np.ndarray:
    """Log-probabilities `[T, 4]` whose best path is the given one."""
    logits = np.random.default_rng(seed).random((len(path), 4))
    logits[np.arange(len(path)), path] += 1
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), dtype=np.float32)


@settings(deadline=None, max_examples=100)
@given(Paths)
def test_greedy_merges_repeats_and_removes_blanks(path: list[int]) -> None:
    log_probs = emissions(path)
    runs = [list(run) for _, run in groupby(enumerate(path), key=lambda item: item[1])]
    token_runs = [run for run in runs if run[0][1] != 0]

    best = greedy(log_probs)

    assert best.tokens == tuple(run[0][1] for run in token_runs)
    assert best.frames == tuple((run[0][0], run[-1][0] + 1) for run in token_runs)
    means = [np.mean([log_probs[frame, token] for frame, token in run]) for run in token_runs]
    assert best.scores == pytest.approx(means)


def test_no_frames_or_only_blanks_give_no_tokens() -> None:
    empty = BestPath((), (), ())
    assert greedy(np.zeros((0, 4), np.float32)) == empty
    assert greedy(emissions([0, 0, 0])) == empty


def test_the_id_of_the_blank_is_an_option() -> None:
    assert greedy(emissions([3, 0, 0, 3, 1]), blank=3).tokens == (0, 1)
