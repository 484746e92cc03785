"""Back-off n-gram models: how likely each word is after the few before it. NumPy only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import Vocabulary

States = NDArray[np.int64]
"""Nodes of the trie of contexts, one for each hypothesis `[N]`."""


@dataclass(frozen=True)
class Perplexity:
    """How well a model foresaw some text: exp of the mean negative log probability of a word."""

    perplexity: float
    """Over the words that the model knows, and the ends of sentences."""
    perplexity_with_unknown: float
    """Over all words, an unknown one at the probability of `<unk>`."""
    words: int
    unknown: int
    sentences: int


class NGram:
    """A back-off n-gram model, to be read.

    A state is the longest part of the last n - 1 words that the model has as a context; two hypotheses in the
    same state have the same future. All log probabilities are natural.
    """

    vocabulary: Vocabulary
    order: int
    start: int
    """The state after `<s>`: where each sentence begins."""

    def step(self, states: States, words: NDArray[np.int64]) -> tuple[NDArray[np.float32], States]:
        """Return the log probability of each word in its state, and the state after it.

        Args:
            states: where each hypothesis is `[N]`.
            words: ids of the vocabulary `[N]`; that of `</s>` ends a sentence.
        Returns:
            natural log probabilities, and the next states `[N]`.
        """
        raise NotImplementedError

    def score(self, words: Sequence[str]) -> list[float]:
        """Return the log probability of each word of a sentence, and of its end: len(words) + 1 figures."""
        raise NotImplementedError

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> Perplexity:
        """Tell how well the model foresees sentences, each a sequence of words."""
        raise NotImplementedError
