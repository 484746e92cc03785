"""Samples follow the probabilities, and rows are independent."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.music.generation.sampling import Sampling, draw_rows, nll


def shares(probabilities: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Return how often each value is sampled."""
    uniforms = (np.arange(4000) + 0.5) / 4000
    scores = np.log(probabilities)[None].repeat(len(uniforms), axis=0)
    values = draw_rows(scores, np.ones(scores.shape, bool), sampling, uniforms)
    return np.bincount(values, minlength=len(probabilities)) / len(uniforms)


def test_samples_follow_the_probabilities() -> None:
    probabilities = np.array([0.15, 0.5, 0.05, 0.3])
    for sampling, expected in (
        (Sampling(), probabilities),
        (Sampling(temperature=0), [0, 1, 0, 0]),
        (Sampling(temperature=0.5), probabilities**2 / (probabilities**2).sum()),
        (Sampling(temperature=1e-300), [0, 1, 0, 0]),
        (Sampling(temperature=1e9), [0.25] * 4),
        (Sampling(top_k=3), probabilities * [1, 1, 0, 1] / 0.95),
        (Sampling(top_p=0.7), [0, 0.625, 0, 0.375]),
        (Sampling(top_k=2, top_p=0.7), [0, 0.625, 0, 0.375]),
        (Sampling(top_k=2, top_p=0.6), [0, 1, 0, 0]),
    ):
        assert np.abs(shares(probabilities, sampling) - expected).max() < 1e-3, sampling


@given(
    st.integers(1, 9).flatmap(lambda size: st.tuples(rows(size), rows(size))),
    st.floats(0, 1e9),
    st.integers(0, 12),
    st.floats(1e-12, 1),
    st.floats(0, 1, exclude_max=True),
)
@settings(deadline=None)
def test_rows_are_independent(
    both: tuple[list[tuple[float, bool]], ...], temperature: float, top_k: int, top_p: float, uniform: float
) -> None:
    scores = np.array([[score for score, _ in row] for row in both])
    allowed = np.array([[may for _, may in row] for row in both])
    allowed[:, 0] |= ~allowed.any(axis=1)
    sampling, uniforms = Sampling(temperature, top_k, top_p), np.array([uniform, 0.3])
    together = draw_rows(scores, allowed, sampling, uniforms)
    assert allowed[[0, 1], together].all()
    assert together[0] == draw_rows(scores[:1], allowed[:1], sampling, uniforms[:1])[0]


def rows(size: int) -> st.SearchStrategy[list[tuple[float, bool]]]:
    scores = st.floats(allow_nan=True, allow_infinity=True, width=32)
    return st.lists(st.tuples(scores, st.booleans()), min_size=size, max_size=size)


def test_nll_equals_cross_entropy() -> None:
    scores, values = np.random.default_rng(0).normal(size=(5, 7)) * 40, np.arange(5)
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(scores), torch.from_numpy(values), reduction="none"
    )
    np.testing.assert_allclose(nll(scores, values), expected.numpy(), atol=1e-12)
