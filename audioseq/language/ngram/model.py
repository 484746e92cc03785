"""Back-off n-gram language models in NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import Vocabulary

Nodes = NDArray[np.int64]
"""Indices of trie nodes: an n-gram, or the context of a hypothesis."""
Floats = NDArray[np.float32]

ROOT = 0
"""The node of the empty context."""
LOG_ZERO = -99 * math.log(10)
"""Log probability of impossible events, such as `<s>` after a word: the -99 of ARPA files."""
MAX_EXPONENT = 707.0
"""Larger exponents overflow in fp64."""
BATCH_SENTENCES = 4096
"""Sentences that are scored in one batch."""


def safe_exp(exponent: float) -> float:
    """Return exp, at most 1e307: a damaged model, or one of a single word, may have any probabilities."""
    return math.exp(min(exponent, MAX_EXPONENT))


@dataclass(frozen=True)
class Perplexity:
    """Perplexity of a text: exp of the mean negative log probability of a word."""

    perplexity: float
    """Over in-vocabulary words and sentence ends."""
    perplexity_with_unknown: float
    """Over all words and sentence ends; an OOV word has the probability of `<unk>`."""
    words: int
    """Number of words, sentence ends not counted."""
    unknown: int
    """Number of OOV words."""
    sentences: int

    def summary(self) -> str:
        """Return the measures in one line."""
        return (
            f"perplexity {self.perplexity:.1f} ({self.perplexity_with_unknown:.1f} with unknown words), "
            f"{self.unknown:,} of {self.words:,} words unknown ({self.unknown / max(1, self.words):.2%}), "
            f"{self.sentences:,} sentences"
        )


@dataclass(frozen=True, eq=False)
class NGram:
    """A back-off n-gram model: a trie in sorted arrays.

    The probability of a word is that of the longest n-gram in the model that ends in it, multiplied by the
    back-off weight of each context that had to be shortened.

    The n-grams are the nodes of a trie in flat arrays. Node 0 is the empty context; it is followed by the
    unigrams in the order of the vocabulary, the bigrams, and so on. The key is `context * V + word`:
    the context is the node of all words but the last. Keys are sorted, so a binary search finds any n-gram.

    Args:
        vocabulary: V words.
        keys: int64, strictly increasing; -1 for node 0, then 0 to V - 1 for the unigrams `[M]`.
        log_probs: natural log probability of the last word given the words before it; 0 for node 0 `[M]`.
        backoffs: log back-off weights of all nodes but those of the highest order, which are no contexts.
        sizes: number of n-grams of 1, 2, … words.
        counts: occurrences of each node in the training text, if known `[M]`.
    Example:
        >>> from audioseq.language.ngram.kneser_ney import estimate
        >>> from audioseq.language.vocabulary import Vocabulary
        >>> vocabulary = Vocabulary(("<unk>", "<s>", "</s>", "to", "be"))
        >>> model = estimate(np.array([1, 3, 4, 2, 1, 4, 2]), vocabulary, order=2)
        >>> [round(math.exp(p), 3) for p in model.score(["to", "be"])]
        [0.375, 0.687, 0.625]
    """

    vocabulary: Vocabulary
    keys: Nodes
    log_probs: Floats
    backoffs: Floats
    sizes: tuple[int, ...]
    counts: NDArray[np.int64] | None = None
    source: Path | None = None
    """File of a named model, the arrays of which are cached; see `array_cache`."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: Path) -> NGram:
        """Return the model of the result of `to_arrays`."""
        words = arrays["words"].tobytes().decode().split("\n")
        keys, log_probs, backoffs = (arrays[name] for name in ("keys", "log_probs", "backoffs"))
        sizes = tuple(arrays["sizes"].tolist())
        model = cls(Vocabulary(tuple(words)), keys, log_probs, backoffs, sizes, source=source)
        vars(model).update(suffix_links=arrays["suffix_links"], _states=arrays["states"])
        return model

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all values of the model, including those that are derived from others."""
        words = np.frombuffer("\n".join(self.vocabulary.words).encode(), np.uint8)
        return {
            "words": words,
            "sizes": np.array(self.sizes),
            "keys": self.keys,
            "log_probs": self.log_probs,
            "backoffs": self.backoffs,
            "suffix_links": self.suffix_links,
            "states": self._states,
        }

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.sizes)

    @cached_property
    def bounds(self) -> list[int]:
        """First node of the n-grams of 1, 2, … words, then the number of nodes."""
        return [1, *(1 + int(end) for end in np.cumsum(self.sizes))]

    @cached_property
    def suffix_links(self) -> Nodes:
        """For each node that may be a context: the node of its longest proper suffix in the model."""
        links = np.zeros(len(self.backoffs), np.int64)
        for first, end in list(pairwise(self.bounds))[1:-1]:
            contexts, words = np.divmod(self.keys[first:end], len(self.vocabulary))
            # The suffix of `context word` is the longest `suffix(context) word`; shorter orders are done.
            links[first:end], _ = self._longest_match(links, links[contexts], words)
        return links

    @cached_property
    def _states(self) -> Nodes:
        """For each node that may be a context: its longest suffix that affects later probabilities."""
        states = np.arange(len(self.backoffs))
        # A context without successors and with a back-off weight of 1 scores like its suffix.
        redundant = self.backoffs == 0
        redundant[self.keys[self.bounds[1] :] // len(self.vocabulary)] = False
        for first, end in list(pairwise(self.bounds))[:-1]:
            shorter = states[self.suffix_links[first:end]]
            states[first:end] = np.where(redundant[first:end], shorter, states[first:end])
        return states

    @cached_property
    def start(self) -> int:
        """The state at the start of a sentence, after `<s>`."""
        return int(self._states[1 + self.vocabulary.bos]) if self.order > 1 else ROOT

    def step(self, states: Nodes, words: NDArray[np.int64]) -> tuple[Floats, Nodes]:
        """Return the log probability of each word in its state, and the next state.

        A state is the longest suffix of the previous words that affects later probabilities. Hypotheses in
        the same state score all continuations equally.

        Args:
            states: state of each hypothesis: `start`, or the result of an earlier call `[N]`.
            words: ids of the vocabulary `[N]`; the id of `</s>` ends a sentence.
        Returns:
            natural log probabilities, and the next states `[N]`.
        """
        nodes, backoffs = self.find(states, words)
        log_probs = self.log_probs[nodes] + backoffs
        # N-grams of the highest order are no contexts: their next state is that of their longest suffix.
        full = np.flatnonzero(nodes >= len(self.backoffs))
        nodes[full] = ROOT
        if self.order > 1:
            nodes[full], _ = self.find(self.suffix_links[states[full]], words[full])
        return log_probs, self._states[nodes]

    def find(self, contexts: Nodes, words: NDArray[np.int64]) -> tuple[Nodes, Floats]:
        """Find the longest n-gram of each word and its context, and the weight of backing off to it.

        Args:
            contexts: nodes shorter than the order `[N]`.
            words: ids of the vocabulary `[N]`.
        Returns:
            nodes, and log back-off weights to add to the log probabilities of the nodes `[N]`.
        """
        return self._longest_match(self.suffix_links, contexts, words)

    def score(self, words: Sequence[str]) -> list[float]:
        """Return the log probability of each word of a sentence and of its end, `len(words) + 1` values."""
        return [float(log_prob) for log_prob in self._score([self.vocabulary.encode(words)])[0]]

    def predict(self, words: Sequence[str], count: int) -> list[tuple[str, float]]:
        """Predict the most probable next words after the first words of a sentence, with probabilities."""
        state = np.array([self.start])
        for word in self.vocabulary.encode(words):
            _, state = self.step(state, np.array([word]))
        candidates = np.arange(Vocabulary.eos + 1, len(self.vocabulary))  # without the special tokens
        log_probs, _ = self.step(np.repeat(state, len(candidates)), candidates)
        best = np.argsort(-log_probs, kind="stable")[:count]
        return [(self.vocabulary.words[candidates[i]], safe_exp(log_probs[i])) for i in best.tolist()]

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> Perplexity:
        """Compute the perplexity of sentences, each a sequence of words."""
        total = unknown_total = 0.0
        number = words = unknown = 0
        remaining = iter(sentences)
        while batch := list(islice(remaining, BATCH_SENTENCES)):
            ids = [self.vocabulary.encode(sentence) for sentence in batch]
            for sentence, log_probs in zip(ids, self._score(ids), strict=True):
                is_unknown = np.array(sentence, np.int64) == self.vocabulary.unk
                total += float(log_probs.sum(dtype=np.float64))
                unknown_total += float(log_probs[:-1][is_unknown].sum(dtype=np.float64))
                unknown += int(is_unknown.sum())
                words += len(sentence)
            number += len(batch)
        known = safe_exp((unknown_total - total) / max(1, words - unknown + number))
        return Perplexity(known, safe_exp(-total / max(1, words + number)), words, unknown, number)

    def _score(self, sentences: Sequence[Sequence[int]]) -> list[Floats]:
        """Compute the log probabilities of the words and the end of each sentence in one batch."""
        lengths = np.array([len(sentence) + 1 for sentence in sentences])
        words = np.full((len(sentences), max(lengths, default=0)), self.vocabulary.eos, np.int64)
        for row, sentence in zip(words, sentences, strict=True):
            row[: len(sentence)] = sentence
        log_probs = np.zeros(words.shape, np.float32)
        states = np.full(len(sentences), self.start, np.int64)
        for position in range(words.shape[1]):
            active = np.flatnonzero(lengths > position)
            log_probs[active, position], states[active] = self.step(states[active], words[active, position])
        return [log_probs[row, :length] for row, length in enumerate(lengths)]

    def _find_exact(self, contexts: Nodes, words: NDArray[np.int64]) -> Nodes:
        """Return the node of each word after its full context, ROOT where the model has none."""
        keys = contexts * len(self.vocabulary) + words
        nodes = self.keys.searchsorted(keys)
        nodes[self.keys.take(nodes, mode="clip") != keys] = ROOT
        return nodes

    def _longest_match(self, links: Nodes, contexts: Nodes, words: NDArray[np.int64]) -> tuple[Nodes, Floats]:
        """Return the node of each word after the longest suffix of its context, and the log weight of it."""
        nodes = self._find_exact(contexts, words)
        backoffs = np.zeros(len(nodes), np.float32)
        missing = np.flatnonzero(nodes == ROOT)
        contexts = contexts[missing]
        # Each round shortens the contexts of the words that were not found; it ends since all unigrams exist.
        while missing.size:
            backoffs[missing] += self.backoffs[contexts]
            contexts = links[contexts]
            nodes[missing] = found = self._find_exact(contexts, words[missing])
            not_found = found == ROOT
            missing, contexts = missing[not_found], contexts[not_found]
        return nodes, backoffs
