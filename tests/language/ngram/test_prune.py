"""Pruning: normalisation, counts, losses and file sizes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.language.ngram import binary, prune
from audioseq.language.ngram.kneser_ney import estimate
from tests.language.small import (
    VOCABULARY,
    after,
    assert_normalised,
    contexts,
    random_model,
    texts,
    tokens_of,
)


@settings(max_examples=20, deadline=None)
@given(texts, st.integers(2, 4), st.floats(1e-6, 0.1))
def test_pruned_models_are_normalised(text: list[list[str]], order: int, threshold: float) -> None:
    model = estimate(tokens_of(text), VOCABULARY, order)
    assert_normalised(prune.by_loss(model, threshold))
    assert_normalised(prune.by_count(model, [1, 2]))


def test_normalise_reproduces_kneser_ney_weights() -> None:
    model = random_model(3)
    np.testing.assert_allclose(prune.normalise(model).backoffs, model.backoffs, atol=1e-4)


def test_by_count_keeps_frequent_ngrams() -> None:
    model = random_model(3)
    fewer = prune.by_count(model, [2, 4])
    assert model.counts is not None and fewer.counts is not None
    assert fewer.counts[fewer.bounds[1] : fewer.bounds[2]].min() >= 2
    assert fewer.counts[fewer.bounds[2] :].min() >= 4
    assert fewer.sizes[2] == (model.counts[model.bounds[2] :] >= 4).sum()


def test_loss_is_the_divergence_caused_by_removal() -> None:
    model = random_model(3)
    losses = prune.compute_losses(model)
    assert model.counts is not None
    text_length = model.counts[1 : model.bounds[1]].sum()
    for node in range(model.bounds[2], model.bounds[3], 7):
        keep = np.ones(len(model.keys), bool)
        keep[node] = False
        fewer = prune.select(model, keep)
        context = int(model.keys[node]) // len(VOCABULARY)
        ids = np.arange(len(VOCABULARY))
        found = [m.find(np.repeat(context, len(ids)), ids) for m in (model, fewer)]
        before, later = (
            m.log_probs[n] + weight for m, (n, weight) in zip((model, fewer), found, strict=True)
        )
        divergence = float((np.exp(before) * (before - later))[ids != VOCABULARY.bos].sum())
        expected = model.counts[context] / text_length * divergence
        assert losses[node] == pytest.approx(expected, rel=2e-2, abs=1e-6)


def test_model_that_fits_is_unchanged() -> None:
    model = random_model(3)
    assert prune.to_size(model, lambda whole, keep: True) is model


def test_estimated_size_equals_file_size(tmp_path: Path) -> None:
    model = random_model(4, 2000)
    fewer = prune.by_loss(model, 1e-5)
    binary.save(tmp_path / "whole", model)
    binary.save(tmp_path / "fewer", fewer)
    saved = (tmp_path / "whole").stat().st_size - (tmp_path / "fewer").stat().st_size
    keep = prune.keep_mask(model, prune.compute_losses(model), 1e-5)
    estimated = binary.estimate_file_size(model, np.ones_like(keep)) - binary.estimate_file_size(model, keep)
    assert saved == pytest.approx(estimated, abs=1000)


def test_pruning_everything_leaves_unigrams() -> None:
    model = prune.by_loss(random_model(3), math.inf)
    assert model.order == 1
    assert after(model, ()).sum() == pytest.approx(1)
    assert all(np.array_equal(after(model, context), after(model, ())) for context in contexts(model, 1))
