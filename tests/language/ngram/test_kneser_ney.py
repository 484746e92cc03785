"""Kneser-Ney estimation against a brute-force implementation with dictionaries."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.errors import DataError
from audioseq.language.ngram.kneser_ney import estimate
from tests.language.small import PREDICTED, VOCABULARY, texts, tokens_of


class BruteForce:
    """Chen and Goodman's equations, implemented literally."""

    def __init__(self, text: list[list[str]], order: int) -> None:
        counts: Counter[tuple[str, ...]] = Counter()
        for line in text:
            whole = ["<s>", *line, "</s>"]
            for n in range(1, order + 1):
                counts.update(tuple(whole[i : i + n]) for i in range(len(whole) - n + 1))
        before: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for gram in counts:
            before[gram[1:]].add(gram[0])
        self.counts = {
            gram: n if len(gram) == order or gram[0] == "<s>" else len(before[gram])
            for gram, n in counts.items()
            if gram != ("<s>",) and gram != ()
        }
        self.discounts: dict[int, tuple[float, ...]] = {}
        for n in range(1, order + 1):
            of = Counter(count for gram, count in self.counts.items() if len(gram) == n)
            self.discounts[n] = (0.5, 1.0, 1.5)
            if of[1] and of[2] and of[3]:
                y = of[1] / (of[1] + 2 * of[2])
                own = tuple(k - (k + 1) * y * of[k + 1] / of[k] for k in (1, 2, 3))
                if all(0 < d <= k for k, d in zip((1, 2, 3), own, strict=True)):
                    self.discounts[n] = own

    def probability(self, context: tuple[str, ...], word: str) -> float:
        followers = {gram[-1]: n for gram, n in self.counts.items() if gram[:-1] == context}
        lower = self.probability(context[1:], word) if context else 1 / len(PREDICTED)
        if not followers:
            return lower
        discounts = self.discounts[len(context) + 1]
        total = sum(followers.values())
        discounted = followers[word] - discounts[min(followers[word], 3) - 1] if word in followers else 0
        weight = sum(discounts[min(n, 3) - 1] for n in followers.values()) / total
        return discounted / total + weight * lower


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 4))
def test_equals_brute_force(text: list[list[str]], order: int) -> None:
    model, brute_force = estimate(tokens_of(text), VOCABULARY, order), BruteForce(text, order)
    contexts = [("<s>", *words) for n in range(3) for words in product("ab", repeat=n)]
    for context in contexts:
        state = np.array([model.start])
        for word in context[1:]:
            _, state = model.step(state, np.array([VOCABULARY.index(word)]))
        ids = np.array([VOCABULARY.index(word) for word in PREDICTED])
        log_probs, _ = model.step(np.repeat(state, len(ids)), ids)
        recent = context[max(0, len(context) - order + 1) :] if order > 1 else ()
        expected = [brute_force.probability(recent, word) for word in PREDICTED]
        np.testing.assert_allclose(np.exp(log_probs), expected, rtol=1e-5)
        assert np.exp(log_probs.astype(float)).sum() == pytest.approx(1, abs=1e-5)


def test_unseen_words_have_probability() -> None:
    model = estimate(tokens_of([["a", "b"], ["a", "c"]]), VOCABULARY, 2)
    assert model.score(["d"])[0] > -10
    assert model.score(["d"])[0] == model.score(["nowhere"])[0]


def test_empty_text_is_an_error() -> None:
    with pytest.raises(DataError, match="no text"):
        estimate(np.array([], np.int64), VOCABULARY)
