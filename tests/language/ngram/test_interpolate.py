"""Linear interpolation of two n-gram models."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.language.ngram.interpolate import interpolate
from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.ngram.model import NGram
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.language.small import after, assert_normalised, contexts, random_model, random_text, tokens_of


def model_of_other_words(order: int = 2) -> NGram:
    """Return a model with "e" in place of "a"."""
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "b", "c", "d", "e"))
    text = [["<s>", *("e" if word == "a" else word for word in line), "</s>"] for line in random_text(80, 3)]
    return estimate(np.array([vocabulary.index(word) for line in text for word in line]), vocabulary, order)


def test_ngram_probabilities_are_the_weighted_mean() -> None:
    one, other = random_model(3), random_model(3, 80, seed=1)
    mixed = interpolate(one, other, 0.3)
    for node in range(1, len(mixed.keys)):
        words: list[int] = []
        while node:
            node, word = divmod(int(mixed.keys[node]), len(mixed.vocabulary))
            words.insert(0, word)
        if words[-1] == mixed.vocabulary.bos:
            continue
        shares = []
        for model in (one, other, mixed):
            state = np.zeros(1, np.int64)
            for word in words:
                log_prob, state = model.step(state, np.array([word]))
            shares.append(float(np.exp(log_prob[0])))
        assert shares[2] == pytest.approx(0.7 * shares[0] + 0.3 * shares[1], rel=1e-4)


def test_vocabulary_is_the_union() -> None:
    mixed = interpolate(random_model(3), model_of_other_words(), 0.5)
    assert mixed.vocabulary.words == (*SPECIAL_TOKENS, "a", "b", "c", "d", "e")
    assert mixed.order == 3
    assert_normalised(mixed)
    assert -10 < mixed.score(["e"])[0] < 0


def test_weight_zero_keeps_the_first_model() -> None:
    one = random_model(3)
    mixed = interpolate(one, random_model(2, 80, seed=1), 0)
    for context in contexts(one, 2):
        np.testing.assert_allclose(after(mixed, context), after(one, context), rtol=1e-3)


def test_interpolation_adapts_to_text() -> None:
    general = random_model(3)
    text = [["d", "a", "d", "a"], ["d", "a"]] * 20
    adapted = interpolate(general, estimate(tokens_of(text), general.vocabulary, 3), 0.5)
    assert adapted.perplexity(text).perplexity < general.perplexity(text).perplexity / 2


def test_weight_out_of_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        interpolate(random_model(2), random_model(2), 1.5)
