"""Estimate n-gram models from text: interpolated modified Kneser-Ney, in sorted arrays of integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import DataError
from audioseq.language.ngram.model import NEVER, NGram
from audioseq.language.vocabulary import Vocabulary

Integers = NDArray[np.int64]
Doubles = NDArray[np.float64]

USUAL_DISCOUNTS = (0.5, 1.0, 1.5)
"""Of counts of 1, 2, and 3 or more, where a text is so small or so odd that its own cannot be told."""


@dataclass(frozen=True)
class Grams:
    """All n-grams of one length in a text, sorted."""

    keys: Integers
    """`context * V + word`, where the context is the number of the n-gram of all words but the last `[M]`."""
    counts: Integers
    """How often each stands in the text `[M]`."""
    ends: Integers
    """Number of the n-gram without its first word, among those that are one word shorter `[M]`."""


def estimate(tokens: NDArray[np.integer], vocabulary: Vocabulary, order: int = 3) -> NGram:
    """Estimate a model from text; the n-grams keep their counts, which pruning asks for.

    Each n-gram gives a little of its count away, which is spread as the model of one word less would have it;
    and that model asks after how many different words a word was seen, not how often. Sentences are not
    joined, and what begins with `<s>`, which nothing comes before, keeps its count. Source: Chen and Goodman
    1998, "An empirical study of smoothing techniques for language modeling", with three discounts an order.

    Args:
        tokens: ids of the vocabulary, each sentence between `<s>` and `</s>` `[N]`.
        vocabulary: the words; all but `<s>` share evenly what the single words give away.
        order: number of words in the longest n-grams, 1 or more.
    Raises:
        DataError: there is no sentence.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or more, got {order}")
    if not len(tokens):
        raise DataError("there is no text to estimate a language model from; give some sentences")
    grams = count(tokens, vocabulary, order)
    keys, log_probs, backoffs = [np.array([-1])], [np.zeros(1)], []
    lower = np.full(1, 1 / (len(vocabulary) - 1))
    first = 0
    for shape, adjusted in zip(grams, _adjusted(grams, vocabulary), strict=True):
        contexts = shape.keys // len(vocabulary)
        given = _discounts(adjusted)[np.minimum(adjusted, 3)]
        totals = np.maximum(np.bincount(contexts, adjusted, len(lower)), 1)
        shared = np.bincount(contexts, given, len(lower)) / totals
        lower = (adjusted - given) / totals[contexts] + shared[contexts] * lower[shape.ends]
        if not first:
            lower[vocabulary.bos] = 0
        with np.errstate(divide="ignore"):
            log_probs.append(np.maximum(np.log(lower), NEVER))
            backoffs.append(np.where(shared > 0, np.log(shared), 0))
        keys.append(shape.keys + first * len(vocabulary))
        first += len(backoffs[-1])
    backoffs[0][:] = 0  # that of no words at all is part of what the single words have
    return NGram(
        vocabulary,
        np.concatenate(keys),
        np.concatenate(log_probs).astype(np.float32),
        np.concatenate(backoffs).astype(np.float32),
        tuple(len(shape.keys) for shape in grams),
        np.concatenate([[0], *(shape.counts for shape in grams)]),
    )


def count(tokens: NDArray[np.integer], vocabulary: Vocabulary, order: int) -> list[Grams]:
    """Count the n-grams of 1, 2, … words that lie within sentences; single words all, seen or not."""
    size = len(vocabulary)
    numbers = tokens.astype(np.int64)  # of the n-gram that ends at each place
    grams = [Grams(np.arange(size), np.bincount(numbers, minlength=size), np.zeros(size, np.int64))]
    inside = np.ones(len(tokens), bool)  # there is an n-gram that ends here
    for _ in range(1, order):
        inside[1:] &= inside[:-1].copy()
        inside &= tokens != vocabulary.bos
        places = np.flatnonzero(inside)
        keys, found, counts = np.unique(
            numbers[places - 1] * size + tokens[places], return_inverse=True, return_counts=True
        )
        ends = np.empty(len(keys), np.int64)
        ends[found] = numbers[places]
        grams.append(Grams(keys, counts, ends))
        numbers[places] = found
    return grams


def _adjusted(grams: list[Grams], vocabulary: Vocabulary) -> Iterator[Integers]:
    """Yield for each order after how many words its n-grams were seen; plain counts for the longest."""
    size = len(vocabulary)
    begins = np.arange(size) == vocabulary.bos
    for shape, longer in zip(grams, [*grams[1:], None], strict=True):
        if shape is not grams[0]:
            begins = begins[shape.keys // size]
        different = shape.counts if longer is None else np.bincount(longer.ends, minlength=len(shape.keys))
        adjusted = np.where(begins, shape.counts, different)
        if shape is grams[0]:
            adjusted[vocabulary.bos] = 0  # it comes after nothing, so it is never what comes next
        yield adjusted


def _discounts(counts: Integers) -> Doubles:
    """Return what counts of 0, 1, 2, and 3 or more give away, from how many there are of 1, 2, 3 and 4."""
    ones, twos, threes, fours = (int(n) for n in np.bincount(np.minimum(counts, 5), minlength=6)[1:5])
    if ones and twos and threes:
        share = ones / (ones + 2 * twos)
        own = 1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes
        if all(0 < discount <= most for most, discount in enumerate(own, 1)):
            return np.array([0, *own])
    return np.array([0, *USUAL_DISCOUNTS])
