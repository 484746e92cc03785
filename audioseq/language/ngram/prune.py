"""Make n-gram models smaller: leave out what is rare, or what is hardly missed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioseq.language.ngram.model import Floats, NGram

Mask = NDArray[np.bool_]

SMALLEST = 1e-7
"""Probability that is taken for none: what rounding leaves of 1 when all of it is given."""
HALVINGS = 16
"""Of a range of 30 powers of ten: the threshold is found to a thousandth."""


def by_count(model: NGram, at_least: Sequence[int]) -> NGram:
    """Leave out n-grams that the text has less often.

    Args:
        model: with its counts.
        at_least: counts that n-grams of 2, 3, … words must have; the last holds for longer ones too.
    """
    assert model.counts is not None
    keep = np.ones(len(model.keys), bool)
    for place, (first, end) in enumerate(pairwise(model.bounds[1:])):
        keep[first:end] = model.counts[first:end] >= at_least[min(place, len(at_least) - 1)]
    return select(model, keep)


def by_loss(model: NGram, threshold: float) -> NGram:
    """Leave out n-grams without which the perplexity grows by less than a share each, such as 1e-8.

    Source: Stolcke 1998, "Entropy-based pruning of backoff language models".
    """
    return select(model, kept(model, losses(model), threshold))


def to_size(model: NGram, fits: Callable[[NGram, Mask], bool]) -> NGram:
    """Leave out n-grams by their loss until the rest fits.

    Args:
        fits: whether the nodes that a mask keeps are few enough.
    """
    lost = losses(model)
    low, high = -30.0, 0.0  # powers of ten
    if fits(model, kept(model, lost, 0)):
        return model
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(model, kept(model, lost, 10**middle)) else (middle, high)
    return select(model, kept(model, lost, 10**high))


def losses(model: NGram) -> Floats:
    """Return for each n-gram how much the log perplexity grows without it, the others being kept `[M]`.

    How often its context comes up is taken from the counts, where the model has them: the short n-grams of
    Kneser and Ney's say how often a word follows new ones, not how often it comes.
    """
    lost = np.zeros(len(model.keys), np.float32)
    often = _frequencies(model)
    for first, end in pairwise(model.bounds[1:]):
        contexts, own, lower = _probabilities(model, first, end)
        left = _left(contexts, own, len(model.backoffs))[contexts]
        left_lower = _left(contexts, lower, len(model.backoffs))[contexts]
        weight = np.log(left / left_lower)
        weight_without = np.log((left + own) / (left_lower + lower))
        change = own * (np.log(lower) + weight_without - np.log(own)) + left * (weight_without - weight)
        lost[first:end] = -often[contexts] * change
    return lost


def kept(model: NGram, lost: Floats, threshold: float) -> Mask:
    """Return which nodes stay: single words, what would be missed, and the contexts of what stays `[M]`."""
    keep = lost > threshold
    keep[: model.bounds[1]] = True
    for first, end in reversed(list(pairwise(model.bounds[1:]))):
        keep[model.keys[first:end][keep[first:end]] // len(model.vocabulary)] = True
    return keep


def select(model: NGram, keep: Mask) -> NGram:
    """Return a model of some of the n-grams, normalised.

    Args:
        keep: which nodes stay; single words must, and the context of each that does `[M]`.
    """
    numbers = np.cumsum(keep) - 1
    contexts, words = np.divmod(model.keys[keep][1:], len(model.vocabulary))
    sizes = [int(keep[first:end].sum()) for first, end in pairwise(model.bounds)]
    while len(sizes) > 1 and not sizes[-1]:
        sizes.pop()
    fewer = NGram(
        model.vocabulary,
        np.concatenate([[-1], numbers[contexts] * len(model.vocabulary) + words]),
        model.log_probs[keep],
        np.zeros(1 + sum(sizes[:-1]), np.float32),
        tuple(sizes),
        None if model.counts is None else model.counts[keep],
    )
    return normalise(fewer)


def normalise(model: NGram) -> NGram:
    """Return a model whose back-off weights let the probabilities after each context sum to 1."""
    backoffs = np.zeros_like(model.backoffs)
    result = replace(model, backoffs=backoffs)  # filled from the shortest contexts on: longer ones ask them
    for first, end in pairwise(model.bounds[1:]):
        contexts, own, lower = _probabilities(result, first, end)
        used = np.unique(contexts)
        left, left_lower = (_left(contexts, p, len(backoffs))[used] for p in (own, lower))
        backoffs[used] = np.where(left_lower > SMALLEST, np.log(left / left_lower), 0)
    return result


def _probabilities(
    model: NGram, first: int, end: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the contexts of the nodes from first to end, and their probabilities with and without them."""
    contexts, words = np.divmod(model.keys[first:end], len(model.vocabulary))
    nodes, paid = model.find(model.links[contexts], words)
    lower = np.exp((model.log_probs[nodes] + paid).astype(np.float64))
    return contexts, np.exp(model.log_probs[first:end].astype(np.float64)), lower


def _left(contexts: NDArray[np.int64], probabilities: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Return the probability that each context has left for words which do not follow it in the model."""
    return np.maximum(1 - np.bincount(contexts, probabilities, size), SMALLEST)


def _frequencies(model: NGram) -> NDArray[np.float64]:
    """Return how likely each node that may be a context is to come up at a place of the text."""
    bos, eos = 1 + model.vocabulary.bos, 1 + model.vocabulary.eos
    if model.counts is not None:
        return model.counts[: len(model.backoffs)] / float(model.counts[1 : model.bounds[1]].sum())
    often = np.zeros(len(model.backoffs))
    often[0] = 1
    log_probs = model.log_probs.copy()
    log_probs[bos] = log_probs[eos]  # a sentence starts as often as one ends
    for first, end in list(pairwise(model.bounds))[:-1]:
        contexts = model.keys[first:end] // len(model.vocabulary)
        often[first:end] = often[contexts] * np.exp(log_probs[first:end])
    return often
