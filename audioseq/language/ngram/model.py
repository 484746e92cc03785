"""Back-off n-gram models: how likely each word is after the few before it. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import Vocabulary

Nodes = NDArray[np.int64]
"""Places in the trie: n-grams as what was found, contexts as the states of hypotheses."""
Floats = NDArray[np.float32]

ROOT = 0
"""The node of no words: the context of all single words."""
NEVER = -99 * math.log(10)
"""Log probability of what cannot be, such as `<s>` after a word: the -99 of ARPA files."""
AT_ONCE = 4096
"""Sentences scored side by side."""


@dataclass(frozen=True)
class Perplexity:
    """How well a model foresaw some text: exp of the mean negative log probability of a word."""

    perplexity: float
    """Over the words that the model knows, and the ends of sentences."""
    perplexity_with_unknown: float
    """Over all words, each unknown one at the probability of `<unk>`, which stands for all of them."""
    words: int
    """Without the ends of sentences."""
    unknown: int
    sentences: int

    def summary(self) -> str:
        """Tell it in one line."""
        return (
            f"perplexity {self.perplexity:.1f} ({self.perplexity_with_unknown:.1f} with unknown words), "
            f"{self.unknown:,} of {self.words:,} words unknown ({self.unknown / max(1, self.words):.2%}), "
            f"{self.sentences:,} sentences"
        )


@dataclass(frozen=True, eq=False)
class NGram:
    """A back-off n-gram model: a trie in sorted arrays.

    The probability of a word is that of the longest n-gram which ends in it and is in the model; for each
    word that its context must be shortened by, it is multiplied by the back-off weight of the context.

    A node is an n-gram; node 0 has no words, those of one word follow in the order of the vocabulary, then
    those of two, and so on. Each is found under the key `context * V + word`, where the context is the node
    of all words but the last: keys rise from node to node, so one binary search finds any n-gram.

    Args:
        vocabulary: V words.
        keys: int64, one a node, strictly rising; -1 for node 0, then 0 to V - 1 for the words `[M]`.
        log_probs: natural log probability of the last word after those before it; 0 for node 0 `[M]`.
        backoffs: log back-off weights of the nodes that are shorter than the order, so may be contexts.
        sizes: number of n-grams of 1, 2, … words.
        counts: how often each node stands in the text that the model was estimated from, if known `[M]`.
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

    @property
    def order(self) -> int:
        """Number of words in the longest n-grams."""
        return len(self.sizes)

    @cached_property
    def bounds(self) -> list[int]:
        """First node of the n-grams of 1, 2, … words, and the number of all nodes."""
        return [1, *(1 + int(end) for end in np.cumsum(self.sizes))]

    @cached_property
    def links(self) -> Nodes:
        """For each node that may be a context: its longest end in the model, but not all of it."""
        links = np.zeros(len(self.backoffs), np.int64)
        for first, end in list(pairwise(self.bounds))[1:-1]:
            contexts, words = np.divmod(self.keys[first:end], len(self.vocabulary))
            links[first:end], _ = self._longest(links, links[contexts], words)
        return links

    @cached_property
    def _states(self) -> Nodes:
        """For each node that may be a context: its longest end that makes a difference to what follows."""
        states = np.arange(len(self.backoffs))
        alike = self.backoffs == 0
        alike[self.keys[self.bounds[1] :] // len(self.vocabulary)] = False  # those have n-grams of their own
        for first, end in list(pairwise(self.bounds))[:-1]:
            states[first:end] = np.where(alike[first:end], states[self.links[first:end]], states[first:end])
        return states

    @cached_property
    def start(self) -> int:
        """The state after `<s>`: where each sentence begins."""
        return int(self._states[1 + self.vocabulary.bos]) if self.order > 1 else ROOT

    def step(self, states: Nodes, words: NDArray[np.int64]) -> tuple[Floats, Nodes]:
        """Return the log probability of each word in its state, and the state after it.

        A state is the longest part of the last words that makes a difference to what follows: two hypotheses
        in the same state have the same future.

        Args:
            states: where each hypothesis is: `start`, or what an earlier call returned `[N]`.
            words: ids of the vocabulary `[N]`; that of `</s>` ends a sentence.
        Returns:
            natural log probabilities, and the next states `[N]`.
        """
        nodes, paid = self.find(states, words)
        log_probs = self.log_probs[nodes] + paid
        # The longest n-grams are nobody's context: their state is that of their longest end.
        full = np.flatnonzero(nodes >= len(self.backoffs))
        nodes[full] = ROOT
        if self.order > 1:
            nodes[full], _ = self.find(self.links[states[full]], words[full])
        return log_probs, self._states[nodes]

    def find(self, contexts: Nodes, words: NDArray[np.int64]) -> tuple[Nodes, Floats]:
        """Return the longest n-gram that ends in each word, and the weight of backing off to it.

        Args:
            contexts: nodes shorter than the order `[N]`.
            words: ids of the vocabulary `[N]`.
        Returns:
            nodes, and log weights; with the log probability of the node it makes that of the word `[N]`.
        """
        return self._longest(self.links, contexts, words)

    def score(self, words: Sequence[str]) -> list[float]:
        """Return the log probability of each word of a sentence, and of its end: `len(words) + 1` of them."""
        scores = self._score([self.vocabulary.encode(words)])
        return [float(log_prob) for log_prob in scores[0]]

    def predict(self, words: Sequence[str], count: int) -> list[tuple[str, float]]:
        """Return the most probable words after the first ones of a sentence, each with its probability."""
        state = np.array([self.start])
        for word in self.vocabulary.encode(words):
            _, state = self.step(state, np.array([word]))
        every = np.arange(Vocabulary.eos + 1, len(self.vocabulary))  # what is no word stands before the words
        log_probs, _ = self.step(np.repeat(state, len(every)), every)
        best = np.argsort(-log_probs, kind="stable")[:count]
        return [(self.vocabulary.words[every[i]], math.exp(log_probs[i])) for i in best.tolist()]

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> Perplexity:
        """Tell how well the model foresees sentences, each a sequence of words."""
        total = of_unknown = 0.0
        number = words = unknown = 0
        left = iter(sentences)
        while some := list(islice(left, AT_ONCE)):
            ids = [self.vocabulary.encode(sentence) for sentence in some]
            for sentence, log_probs in zip(ids, self._score(ids), strict=True):
                strange = np.array(sentence, np.int64) == self.vocabulary.unk
                total += float(log_probs.sum(dtype=np.float64))
                of_unknown += float(log_probs[:-1][strange].sum(dtype=np.float64))
                unknown += int(strange.sum())
                words += len(sentence)
            number += len(some)
        foreseen = words - unknown + number
        return Perplexity(
            math.exp((of_unknown - total) / max(1, foreseen)),
            math.exp(-total / max(1, words + number)),
            words,
            unknown,
            number,
        )

    def _score(self, sentences: Sequence[Sequence[int]]) -> list[Floats]:
        """Return the log probabilities of the words and the end of each sentence, all side by side."""
        ends = np.array([len(sentence) + 1 for sentence in sentences])
        words = np.full((len(sentences), max(ends, default=0)), self.vocabulary.eos, np.int64)
        for row, sentence in zip(words, sentences, strict=True):
            row[: len(sentence)] = sentence
        log_probs = np.zeros(words.shape, np.float32)
        states = np.full(len(sentences), self.start, np.int64)
        for place in range(words.shape[1]):
            going = np.flatnonzero(ends > place)
            found, states[going] = self.step(states[going], words[going, place])
            log_probs[going, place] = found
        return [log_probs[row, :end] for row, end in enumerate(ends)]

    def _find(self, contexts: Nodes, words: NDArray[np.int64]) -> Nodes:
        """Return the node of each word after its context, ROOT where the model has none."""
        wanted = contexts * len(self.vocabulary) + words
        nodes = self.keys.searchsorted(wanted)
        nodes[self.keys.take(nodes, mode="clip") != wanted] = ROOT
        return nodes

    def _longest(self, links: Nodes, contexts: Nodes, words: NDArray[np.int64]) -> tuple[Nodes, Floats]:
        """Return the node of each word after as much of its context as there is, and the cost of it."""
        nodes = self._find(contexts, words)
        paid = np.zeros(len(nodes), np.float32)
        missed = np.flatnonzero(nodes == ROOT)
        contexts = contexts[missed]
        while missed.size:
            paid[missed] += self.backoffs[contexts]
            contexts = links[contexts]
            nodes[missed] = found = self._find(contexts, words[missed])
            still = found == ROOT
            missed, contexts = missed[still], contexts[still]
        return nodes, paid
