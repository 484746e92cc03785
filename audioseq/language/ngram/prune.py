"""Prune n-gram models by count, by loss, or to a file size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioseq.language.ngram.model import Floats, NGram, Nodes

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

MIN_PROBABILITY_MASS = 1e-7
"""Smaller remainders of probability are rounding errors and count as zero."""
BISECTION_STEPS = 16
"""Over 30 powers of ten; finds the exponent of the threshold to 0.0005."""


def by_count(model: NGram, at_least: Sequence[int]) -> NGram:
    """Remove n-grams with low counts in the training text.

    Args:
        model: with its counts.
        at_least: minimum counts of n-grams of 2, 3, … words; the last value also applies to longer ones.
    """
    assert model.counts is not None
    keep = np.ones(len(model.keys), bool)
    for index, (first, end) in enumerate(pairwise(model.bounds[1:])):
        keep[first:end] = model.counts[first:end] >= at_least[min(index, len(at_least) - 1)]
    return select(model, keep)


def by_loss(model: NGram, threshold: float) -> NGram:
    """Remove n-grams whose removal increases the perplexity by less than a relative threshold, such as 1e-8.

    Source: Stolcke 1998, "Entropy-based pruning of backoff language models".
    """
    return select(model, keep_mask(model, compute_losses(model), threshold))


def to_size(model: NGram, fits: Callable[[NGram, Mask], bool]) -> NGram:
    """Remove the n-grams with the lowest losses until the rest fits.

    Args:
        fits: returns whether the nodes of a mask fit the size.
    """
    losses = compute_losses(model)
    low, high = -30.0, 0.0  # exponents of the threshold, base 10
    if fits(model, keep_mask(model, losses, 0)):
        return model
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if fits(model, keep_mask(model, losses, 10**middle)) else (middle, high)
    return select(model, keep_mask(model, losses, 10**high))


def compute_losses(model: NGram) -> Floats:
    """Compute the increase of the log perplexity when each n-gram alone is removed `[M]`.

    The probability of a context is estimated from the counts where the model has them, because the lower
    orders of a Kneser-Ney model estimate the number of distinct preceding words, not the frequency.
    """
    losses = np.zeros(len(model.keys), np.float32)
    context_probabilities = _context_probabilities(model)
    for first, end in pairwise(model.bounds[1:]):
        contexts, own, lower = _probabilities(model, first, end)
        mass = _backoff_mass(contexts, own, len(model.backoffs))[contexts]
        lower_mass = _backoff_mass(contexts, lower, len(model.backoffs))[contexts]
        weight = np.log(mass / lower_mass)
        # Without the n-gram, its word backs off too, which changes the weight for all such words.
        pruned_weight = np.log((mass + own) / (lower_mass + lower))
        change = own * (np.log(lower) + pruned_weight - np.log(own)) + mass * (pruned_weight - weight)
        losses[first:end] = -context_probabilities[contexts] * change
    return losses


def keep_mask(model: NGram, losses: Floats, threshold: float) -> Mask:
    """Return a mask of the nodes to keep: unigrams, n-grams above the threshold, and their contexts `[M]`."""
    keep = losses > threshold
    keep[: model.bounds[1]] = True
    for first, end in reversed(list(pairwise(model.bounds[1:]))):
        keep[model.keys[first:end][keep[first:end]] // len(model.vocabulary)] = True
    return keep


def select(model: NGram, keep: Mask) -> NGram:
    """Return a normalised model with a part of the n-grams.

    Args:
        keep: mask of the nodes; it must include the unigrams and the context of each node `[M]`.
    """
    new_nodes = np.cumsum(keep) - 1
    contexts, words = np.divmod(model.keys[keep][1:], len(model.vocabulary))
    sizes = [int(keep[first:end].sum()) for first, end in pairwise(model.bounds)]
    while len(sizes) > 1 and not sizes[-1]:
        sizes.pop()
    pruned = NGram(
        model.vocabulary,
        np.concatenate([[-1], new_nodes[contexts] * len(model.vocabulary) + words]),
        model.log_probs[keep],
        np.zeros(1 + sum(sizes[:-1]), np.float32),
        tuple(sizes),
        None if model.counts is None else model.counts[keep],
    )
    return normalise(pruned)


def normalise(model: NGram) -> NGram:
    """Compute the back-off weights for which the probabilities after each context sum to 1."""
    backoffs = np.zeros_like(model.backoffs)
    result = replace(model, backoffs=backoffs)  # shares the array: longer contexts use the weights of shorter
    for first, end in pairwise(model.bounds[1:]):
        contexts, own, lower = _probabilities(result, first, end)
        used = np.unique(contexts)
        mass, lower_mass = (_backoff_mass(contexts, p, len(backoffs))[used] for p in (own, lower))
        backoffs[used] = np.where(lower_mass > MIN_PROBABILITY_MASS, np.log(mass / lower_mass), 0)
    return result


def _probabilities(model: NGram, first: int, end: int) -> tuple[Nodes, Doubles, Doubles]:
    """Return the contexts of a range of nodes, their probabilities, and those of the order below."""
    contexts, words = np.divmod(model.keys[first:end], len(model.vocabulary))
    nodes, backoffs = model.find(model.suffix_links[contexts], words)
    lower = np.exp((model.log_probs[nodes] + backoffs).astype(np.float64))
    return contexts, np.exp(model.log_probs[first:end].astype(np.float64)), lower


def _backoff_mass(contexts: Nodes, probabilities: Doubles, size: int) -> Doubles:
    """Return the probability that remains in each context for words without an n-gram after it."""
    return np.maximum(1 - np.bincount(contexts, probabilities, size), MIN_PROBABILITY_MASS)


def _context_probabilities(model: NGram) -> Doubles:
    """Estimate the probability that a position of the text has each node as its context."""
    bos, eos = 1 + model.vocabulary.bos, 1 + model.vocabulary.eos
    if model.counts is not None:
        return model.counts[: len(model.backoffs)] / float(model.counts[1 : model.bounds[1]].sum())
    probabilities = np.zeros(len(model.backoffs))
    probabilities[0] = 1
    log_probs = model.log_probs.copy()
    log_probs[bos] = log_probs[eos]  # as many sentences start as end
    for first, end in list(pairwise(model.bounds))[:-1]:
        contexts = model.keys[first:end] // len(model.vocabulary)
        probabilities[first:end] = probabilities[contexts] * np.exp(log_probs[first:end])
    return probabilities
