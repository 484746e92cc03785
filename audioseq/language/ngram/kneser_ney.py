"""Estimate n-gram models from text: interpolated modified Kneser-Ney smoothing on sorted integer arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import DataError
from audioseq.language.ngram.model import LOG_ZERO, NGram
from audioseq.language.vocabulary import Vocabulary

Integers = NDArray[np.int64]
Doubles = NDArray[np.float64]

DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)
"""Discounts of counts of 1, 2, and 3 or more, for texts that are too small or unusual to estimate them."""


@dataclass(frozen=True)
class NGramCounts:
    """All n-grams of one order in a text, sorted."""

    keys: Integers
    """`context * V + word`, where the context is the index of the n-gram of all words but the last `[M]`."""
    counts: Integers
    """Number of occurrences in the text `[M]`."""
    suffixes: Integers
    """Index of the n-gram without its first word, among the n-grams of the order below `[M]`."""


def estimate(tokens: NDArray[np.integer], vocabulary: Vocabulary, order: int = 3) -> NGram:
    """Estimate a model from text; the result keeps the counts of its n-grams for pruning.

    A discount is subtracted from each count, and the freed probability is distributed according to the next
    lower order. Lower orders count the distinct words before an n-gram instead of its occurrences. N-grams do
    not cross sentences; those that begin with `<s>`, which no word precedes, keep their plain counts. Source:
    Chen and Goodman 1998, "An empirical study of smoothing techniques for language modeling", with three
    discounts for each order.

    Args:
        tokens: ids of the vocabulary, each sentence between `<s>` and `</s>` `[N]`.
        vocabulary: the words; the discounted probability of unigrams is shared equally by all but `<s>`.
        order: number of words in the longest n-grams, 1 or more.
    Raises:
        DataError: there is no sentence.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or more, got {order}")
    if not len(tokens):
        raise DataError("no text to estimate a language model from; give some sentences")
    orders = count_ngrams(tokens, vocabulary, order)
    keys, log_probs, backoffs = [np.array([-1])], [np.zeros(1)], []
    probabilities = np.full(1, 1 / (len(vocabulary) - 1))  # of the order below; first of the uniform model
    first = 0
    for grams, adjusted in zip(orders, _adjusted_counts(orders, vocabulary), strict=True):
        contexts = grams.keys // len(vocabulary)
        discounts = _discounts(adjusted)[np.minimum(adjusted, 3)]
        totals = np.maximum(np.bincount(contexts, adjusted, len(probabilities)), 1)
        weights = np.bincount(contexts, discounts, len(probabilities)) / totals  # of backing off
        discounted = (adjusted - discounts) / totals[contexts]
        # Interpolated: an n-gram that was seen gets its share of the lower order too.
        probabilities = discounted + weights[contexts] * probabilities[grams.suffixes]
        if not first:
            probabilities[vocabulary.bos] = 0
        with np.errstate(divide="ignore"):
            log_probs.append(np.maximum(np.log(probabilities), LOG_ZERO))
            backoffs.append(np.where(weights > 0, np.log(weights), 0))
        keys.append(grams.keys + first * len(vocabulary))
        first += len(backoffs[-1])
    backoffs[0][:] = 0  # the unigrams include every word, so nothing backs off from the empty context
    return NGram(
        vocabulary,
        np.concatenate(keys),
        np.concatenate(log_probs).astype(np.float32),
        np.concatenate(backoffs).astype(np.float32),
        tuple(len(grams.keys) for grams in orders),
        np.concatenate([[0], *(grams.counts for grams in orders)]),
    )


def count_ngrams(tokens: NDArray[np.integer], vocabulary: Vocabulary, order: int) -> list[NGramCounts]:
    """Count the n-grams of 1, 2, … words within sentences; the unigrams include unseen words."""
    size = len(vocabulary)
    indices = tokens.astype(np.int64)  # of the n-gram that ends at each position, in its order
    orders = [NGramCounts(np.arange(size), np.bincount(indices, minlength=size), np.zeros(size, np.int64))]
    within = np.ones(len(tokens), bool)  # whether an n-gram within one sentence ends at each position
    for _ in range(1, order):
        within[1:] &= within[:-1].copy()
        within &= tokens != vocabulary.bos
        positions = np.flatnonzero(within)
        # The context ends one position earlier. Sorting the keys keeps the n-grams in the order of the trie.
        found = indices[positions - 1] * size + tokens[positions]
        keys, inverse, counts = np.unique(found, return_inverse=True, return_counts=True)
        suffixes = np.empty(len(keys), np.int64)
        suffixes[inverse] = indices[positions]
        orders.append(NGramCounts(keys, counts, suffixes))
        indices[positions] = inverse
    return orders


def _adjusted_counts(orders: list[NGramCounts], vocabulary: Vocabulary) -> Iterator[Integers]:
    """Yield for each order the number of distinct words before its n-grams; plain counts for the highest."""
    size = len(vocabulary)
    starts_sentence = np.arange(size) == vocabulary.bos
    for grams, longer in zip(orders, [*orders[1:], None], strict=True):
        if grams is not orders[0]:
            starts_sentence = starts_sentence[grams.keys // size]
        number = len(grams.keys)
        distinct = grams.counts if longer is None else np.bincount(longer.suffixes, minlength=number)
        adjusted = np.where(starts_sentence, grams.counts, distinct)
        if grams is orders[0]:
            adjusted[vocabulary.bos] = 0  # `<s>` is only a context and never predicted
        yield adjusted


def _discounts(counts: Integers) -> Doubles:
    """Estimate the discounts of counts of 0, 1, 2, and 3 or more from the numbers of counts 1, 2, 3 and 4."""
    ones, twos, threes, fours = (int(n) for n in np.bincount(np.minimum(counts, 5), minlength=6)[1:5])
    if ones and twos and threes:
        y = ones / (ones + 2 * twos)  # named as in Chen and Goodman
        discounts = 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes
        if all(0 < discount <= count for count, discount in enumerate(discounts, 1)):
            return np.array([0, *discounts])
    return np.array([0, *DEFAULT_DISCOUNTS])
