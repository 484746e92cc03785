"""Small texts and n-gram models for tests."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import strategies as st

from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.ngram.model import NGram
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCABULARY = Vocabulary((*SPECIAL_TOKENS, "a", "b", "c", "d"))
PREDICTED = [word for word in VOCABULARY.words if word != "<s>"]

texts = st.lists(st.lists(st.sampled_from("abcd"), max_size=7), min_size=1, max_size=12)


def tokens_of(text: list[list[str]]) -> np.ndarray:
    return np.array([VOCABULARY.index(word) for line in text for word in ["<s>", *line, "</s>"]])


def random_text(sentences: int = 200, seed: int = 0) -> list[list[str]]:
    """Return sentences in which each word depends on the previous one; the last word is rare."""
    generator = np.random.default_rng(seed)
    text = []
    for _ in range(sentences):
        line = [str(generator.choice(list("abcd"), p=[0.4, 0.3, 0.25, 0.05]))]
        while generator.random() < 0.8:
            repeat = generator.random() < 0.5
            line.append(line[-1] if repeat else str(generator.choice(list("abcd"), p=[0.4, 0.3, 0.25, 0.05])))
        text.append(line)
    return text


def random_model(order: int = 3, sentences: int = 200, seed: int = 0) -> NGram:
    return estimate(tokens_of(random_text(sentences, seed)), VOCABULARY, order)


def after(model: NGram, context: tuple[str, ...]) -> np.ndarray:
    """Return the probability of each word but `<s>` after the given first words of a sentence."""
    words = [word for word in model.vocabulary.words if word != "<s>"]
    state = np.array([model.start])
    for word in context:
        _, state = model.step(state, np.array([model.vocabulary.index(word)]))
    ids = np.array(model.vocabulary.encode(words))
    log_probs, _ = model.step(np.repeat(state, len(ids)), ids)
    return np.exp(log_probs.astype(np.float64))


def contexts(model: NGram, length: int = 3) -> list[tuple[str, ...]]:
    words = [word for word in model.vocabulary.words if word not in ("<s>", "</s>")]
    return [context for n in range(length + 1) for context in product(words, repeat=n)]


def assert_normalised(model: NGram, tolerance: float = 1e-5) -> None:
    for context in contexts(model):
        assert after(model, context).sum() == pytest.approx(1, abs=tolerance), context
