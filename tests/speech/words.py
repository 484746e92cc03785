"""A small language model for the tests of the decoder: a table of word pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary


class Bigrams:
    """Random log-probabilities of word pairs; a state is the previous word."""

    def __init__(self, words: Sequence[str], seed: int = 0) -> None:
        self.vocabulary = Vocabulary((*SPECIAL_TOKENS, *words))
        self.start = Vocabulary.bos
        size = len(self.vocabulary)
        logits = np.random.default_rng(seed).normal(scale=1.5, size=(size, size))
        logits[:, Vocabulary.bos] = -99
        table = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        self.table: NDArray[np.float32] = table.astype(np.float32)

    def step(
        self, states: NDArray[np.int64], words: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the log-probability of each word after each state, and the next states."""
        return self.table[states, words], words

    def score(self, words: Sequence[str]) -> float:
        """Return the log-probability of a sentence, including its end."""
        ids = [self.start, *self.vocabulary.encode(words), Vocabulary.eos]
        return sum(float(self.table[a, b]) for a, b in pairwise(ids))
