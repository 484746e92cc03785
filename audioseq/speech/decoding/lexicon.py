"""Spellings as integer hashes, and a lexicon of words and their prefixes for the beam search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audioseq.array_cache import cached_arrays
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
"""Hashes of spellings; 0 is the hash of the empty spelling."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_SPACE = np.uint64(1)


def hash_spellings(texts: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Compute polynomial hashes of texts, modulo 2^64, which `append` can concatenate.

    An utterance has about 10^5 spellings in the beam, so two of them collide once in 10^9 utterances.
    Source: Karp and Rabin 1987.

    Returns:
        the hash of each text `[N]`, and the factor for a hash that precedes it `[N]`.
    Example:
        >>> hashes, factors = hash_spellings(["c", "art", "cart"])
        >>> append(hashes[:1], hashes[1:2], factors[1:2]) == hashes[2:]
        array([ True])
    """
    hashes, factors = np.zeros(len(texts), np.uint64), np.ones(len(texts), np.uint64)
    for column in _columns(texts):
        inside = column > 0
        hashes = np.where(inside, hashes * _BASE + column + _SPACE, hashes)
        factors = np.where(inside, factors * _BASE, factors)
    return hashes, factors


def append(left: Hashes, right: Hashes, factor: Hashes) -> Hashes:
    """Return the hashes of concatenated spellings; `factor` belongs to the right ones."""
    return left * factor + right


def append_space(hashes: Hashes) -> Hashes:
    """Return the hashes of spellings followed by a space; the empty spelling stays empty."""
    return np.where(hashes == 0, hashes, hashes * _BASE + _SPACE)


def find_runs(values: Hashes) -> Ints:
    """Return the first index of each run of equal values."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


class Lexicon:
    """All prefixes of a set of words, including the words themselves.

    Example:
        >>> lexicon = Lexicon.from_words(["cat", "car"], np.array([5, 7]), np.array([-2.0, -1.0]), default=-9)
        >>> entries = lexicon.find(hash_spellings(["ca", "cat", "dog"])[0])
        >>> lexicon.ids[entries].tolist(), lexicon.best[entries].tolist()
        ([-1, 5, -1], [-1.0, -2.0, -9.0])
    """

    hashes: Hashes
    """Hash of the spelling of each entry but the last, sorted."""
    ids: Ints
    """For each entry: the id of the word, -1 for a prefix that is not a word."""
    best: Floats
    """For each entry: the best score of the words with this prefix; the last entry is the default."""

    def __init__(self, hashes: Hashes, ids: Ints, best: Floats) -> None:
        self.hashes, self.ids, self.best = hashes, ids, best

    @classmethod
    def from_words(
        cls, words: list[str], ids: Ints, scores: NDArray[np.floating], *, default: float
    ) -> Lexicon:
        """Build the lexicon of words.

        Args:
            words: the words; duplicates are allowed.
            ids: the id of each word, at least 0 `[N]`.
            scores: the unigram score of each word `[N]`.
            default: the score of a spelling that is not a prefix of any word.
        """
        hashes = np.zeros(len(words), np.uint64)
        found: list[tuple[Hashes, Ints, NDArray[np.floating]]] = []
        columns = [*_columns(words), np.zeros(len(words), np.uint64)]
        for column, following in pairwise(columns):  # prefixes of one letter, then of two letters ...
            inside = column > 0
            hashes = hashes * _BASE + column + _SPACE
            word_ids = np.where(following[inside] == 0, ids[inside], -1)
            found.append((hashes[inside], word_ids, scores[inside]))
        if not found:
            return cls(np.empty(0, np.uint64), np.full(1, -1), np.full(1, default))
        # Words share prefixes: sort the hashes, and keep the best id and score of equal ones.
        prefixes, word_ids, best = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.argsort(prefixes)
        prefixes = prefixes[order]
        starts = find_runs(prefixes)
        ids = np.append(np.maximum.reduceat(word_ids[order], starts), -1)
        best = np.append(np.maximum.reduceat(best[order], starts), default)
        return cls(prefixes[starts], ids, best.astype(np.float64))

    def find(self, hashes: Hashes) -> Ints:
        """Return the entries of spellings `[N]`; -1, the default entry, if no word starts with a spelling."""
        entries = np.searchsorted(self.hashes, hashes)
        entries[entries == len(self.hashes)] = -1
        return np.where(self.hashes[entries] == hashes, entries, -1) if len(self.hashes) else entries


class WordModel(Protocol):
    """A language model of words that scores many hypotheses at once."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The known words."""

    @property
    def start(self) -> int:
        """The state at the start of a sentence."""

    def step(self, states: Ints, words: Ints) -> tuple[NDArray[np.float32], Ints]:
        """Return the natural log-probabilities of words `[N]` after states `[N]`, and the next states."""


class WordScorer:
    """A language model with the lexicon of its words and of the hotwords that it does not know.

    Args:
        model: the language model.
        hotwords: words or phrases; their out-of-vocabulary (OOV) words share the probability of `<unk>`.
    """

    def __init__(self, model: WordModel, hotwords: Sequence[str]) -> None:
        self.model = model
        new = sorted({word for phrase in hotwords for word in phrase.split() if word not in model.vocabulary})
        self._log_new = math.log(max(1, len(new)))
        source = getattr(model, "source", None)  # the file of a named model
        if new or source is None:
            self.lexicon = self._make_lexicon(new)
        else:
            arrays = cached_arrays(source, "lexicon", lambda: vars(self._make_lexicon([])))
            self.lexicon = Lexicon(**arrays)

    def _make_lexicon(self, new: Sequence[str]) -> Lexicon:
        """Return the lexicon of the words of the model, and of new words."""
        words = self.model.vocabulary.words
        # After an unknown word the model has no context, so these are close to unigram probabilities.
        _, state = self.model.step(np.array([self.model.start]), np.array([Vocabulary.unk]))
        ids = np.arange(len(words))
        scores, _ = self.model.step(np.repeat(state, len(ids)), ids)
        unknown = float(scores[Vocabulary.unk])
        first = len(SPECIAL_TOKENS)
        return Lexicon.from_words(
            [*words[first:], *new],
            np.concatenate((ids[first:], np.full(len(new), Vocabulary.unk))),
            np.concatenate((scores[first:], np.full(len(new), unknown - self._log_new))),
            default=unknown,
        )

    def score_words(
        self, states: Ints, entries: Ints
    ) -> tuple[NDArray[np.floating], Ints, NDArray[np.bool_]]:
        """Score the words of lexicon entries `[N]` after language model states `[N]`.

        Returns:
            the log-probabilities, the next states, and whether each word is neither known nor a hotword.
        """
        ids = self.lexicon.ids[entries]
        log_probs, next_states = self.model.step(states, np.maximum(ids, Vocabulary.unk))
        log_probs = log_probs - np.where(ids == Vocabulary.unk, self._log_new, 0.0)
        return log_probs, next_states, ids < 0


def _columns(texts: Sequence[str]) -> list[Hashes]:
    """Return the code points of all first characters, of all second ones ...; 0 after the end of a text."""
    if not any(texts):
        return []
    letters = np.array(texts, dtype=np.str_)
    table = letters.view(np.uint32).reshape(len(texts), -1)
    return list(table.T.astype(np.uint64))
