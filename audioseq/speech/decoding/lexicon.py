"""Spellings as integers, and the words that a language model knows, found by how they begin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import MARKS, Vocabulary

Hashes = NDArray[np.uint64]
"""Spellings, each as one integer; 0 is the empty one."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_SPACE = np.uint64(1)


def spell(texts: Sequence[str]) -> tuple[Hashes, Hashes]:
    """Code texts as integers, so that `extend` of two of them is the code of both in a row.

    A code is a polynomial of the characters, modulo 2^64. Among the some 10^5 spellings of an utterance,
    two share a code once in 10^9 utterances. Source: Karp and Rabin 1987.

    Returns:
        the code of each text `[N]`, and what a code in front of it is multiplied with `[N]`.
    Example:
        >>> codes, powers = spell(["c", "art", "cart"])
        >>> extend(codes[:1], codes[1:2], powers[1:2]) == codes[2:]
        array([ True])
    """
    codes, powers = np.zeros(len(texts), np.uint64), np.ones(len(texts), np.uint64)
    for column in _columns(texts):
        inside = column > 0
        codes = np.where(inside, codes * _BASE + column + _SPACE, codes)
        powers = np.where(inside, powers * _BASE, powers)
    return codes, powers


def extend(left: Hashes, right: Hashes, power: Hashes) -> Hashes:
    """Return the codes of spellings that go on with others; `power` belongs to those on the right."""
    return left * power + right


def space(codes: Hashes) -> Hashes:
    """Return the codes of spellings with a space after them; nothing stays nothing."""
    return np.where(codes == 0, codes, codes * _BASE + _SPACE)


class Lexicon:
    """All beginnings of words, the words themselves among them.

    Args:
        words: the words; a word may be there twice.
        ids: what each word is called elsewhere, at least 0 `[N]`.
        scores: how likely each word is by itself `[N]`.
        otherwise: the score of what begins no word.
    Example:
        >>> lexicon = Lexicon(["cat", "car"], np.array([5, 7]), np.array([-2.0, -1.0]), otherwise=-9)
        >>> places = lexicon.find(spell(["ca", "cat", "dog"])[0])
        >>> lexicon.ids[places].tolist(), lexicon.best[places].tolist()
        ([-1, 5, -1], [-1.0, -2.0, -9.0])
    """

    ids: NDArray[np.int64]
    """Of each entry: the id of the word, -1 for what only begins words."""
    best: NDArray[np.float64]
    """Of each entry: the score of the best word that begins so; the last entry is for what begins none."""

    def __init__(
        self,
        words: Sequence[str],
        ids: NDArray[np.int64],
        scores: NDArray[np.floating],
        *,
        otherwise: float,
    ) -> None:
        codes = np.zeros(len(words), np.uint64)
        found: list[tuple[Hashes, NDArray[np.int64], NDArray[np.floating]]] = []
        columns = [*_columns(words), np.zeros(len(words), np.uint64)]
        for column, following in pairwise(columns):
            inside = column > 0
            codes = codes * _BASE + column + _SPACE
            whole = np.where(following[inside] == 0, ids[inside], -1)
            found.append((codes[inside], whole, scores[inside]))
        self._codes, self.ids, self.best = np.empty(0, np.uint64), np.full(1, -1), np.full(1, otherwise)
        if found:
            every, whole, score = (np.concatenate(part) for part in zip(*found, strict=True))
            order = np.argsort(every)
            self._codes, starts = np.unique(every[order], return_index=True)
            self.ids = np.append(np.maximum.reduceat(whole[order], starts), -1)
            self.best = np.append(np.maximum.reduceat(score[order], starts), otherwise).astype(np.float64)

    def find(self, codes: Hashes) -> NDArray[np.int64]:
        """Return the entries of spellings `[N]`; that of what begins no word is the last, -1."""
        places = np.searchsorted(self._codes, codes)
        places[places == len(self._codes)] = -1
        return np.where(self._codes[places] == codes, places, -1) if len(self._codes) else places


class WordModel(Protocol):
    """What tells how likely a word is after those before it, for many hypotheses at once."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The words it knows."""

    @property
    def start(self) -> int:
        """The state at the beginning of a sentence."""

    def step(
        self, states: NDArray[np.int64], words: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the natural log-probabilities of words `[N]` after states `[N]`, and the next states."""


def lexicon_of(model: WordModel, hotwords: Sequence[str]) -> tuple[Lexicon, float]:
    """Return what a model and hotwords know, and the logarithm of how many words are new to the model."""
    words = model.vocabulary.words
    # After an unknown word a model knows least, so this is about how probable each word is by itself.
    _, state = model.step(np.array([model.start]), np.array([model.vocabulary.unk]))
    ids = np.arange(len(words))
    scores, _ = model.step(np.repeat(state, len(ids)), ids)
    new = sorted({word for phrase in hotwords for word in phrase.split() if word not in model.vocabulary})
    shared = math.log(max(1, len(new)))
    unknown = float(scores[model.vocabulary.unk])
    first = len(MARKS)  # what comes before is no word
    lexicon = Lexicon(
        [*words[first:], *new],
        np.concatenate((ids[first:], np.full(len(new), model.vocabulary.unk))),
        np.concatenate((scores[first:], np.full(len(new), unknown - shared))),
        otherwise=unknown,
    )
    return lexicon, shared


def _columns(texts: Sequence[str]) -> list[Hashes]:
    """Return the code points of the first characters, then the second ones ...; 0 where a text has ended."""
    if not any(texts):
        return []
    letters = np.array(texts, dtype=np.str_)
    table = letters.view(np.uint32).reshape(len(texts), -1)
    return list(table.T.astype(np.uint64))
