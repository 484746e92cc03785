"""One n-gram model of two: a large one of many books, say, and one of what its user writes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from audioseq.language.ngram.model import NEVER, ROOT, Floats, NGram, Nodes
from audioseq.language.ngram.prune import normalise
from audioseq.language.vocabulary import MARKS, Vocabulary


def interpolate(one: NGram, other: NGram, weight: float) -> NGram:
    """Return a model with the n-grams of both, each as likely as in the mean of the two.

    What neither has as an n-gram backs off; the weights for it are new. A word that one of them lacks never
    comes in that one, and counts as its `<unk>` where other words follow it. Source: Stolcke 2002, "SRILM, an
    extensible language modeling toolkit", static interpolation.

    Args:
        weight: share of `other`, 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be 0 to 1, got {weight}")
    known = set(one.vocabulary.words)
    vocabulary = Vocabulary((*one.vocabulary.words, *(w for w in other.vocabulary.words if w not in known)))
    keys, sizes = _unite(one, other, vocabulary)
    shares = [np.exp(_log_probs(model, vocabulary, keys, sizes).astype(np.float64)) for model in (one, other)]
    with np.errstate(divide="ignore"):
        log_probs = np.maximum(np.log((1 - weight) * shares[0] + weight * shares[1]), NEVER)
    log_probs[ROOT] = 0
    backoffs = np.zeros(1 + sum(sizes[:-1]), np.float32)
    return normalise(NGram(vocabulary, keys, log_probs.astype(np.float32), backoffs, sizes))


def _unite(one: NGram, other: NGram, vocabulary: Vocabulary) -> tuple[Nodes, tuple[int, ...]]:
    """Return the keys of all n-grams that either model has, and how many there are of each length."""
    numbers = [np.zeros(len(model.keys), np.int64) for model in (one, other)]  # of their nodes in the mixture
    keys, sizes = [np.array([-1])], []
    first = 1
    for order in range(1, max(one.order, other.order) + 1):
        found: list[tuple[NDArray[np.int64], slice, Nodes]] = []
        for model, number in zip((one, other), numbers, strict=True):
            if order <= model.order:
                here = slice(*model.bounds[order - 1 : order + 1])
                contexts, words = np.divmod(model.keys[here], len(model.vocabulary))
                ids = np.array(vocabulary.encode(model.vocabulary.words))
                found.append((number, here, number[contexts] * len(vocabulary) + ids[words]))
        union = np.unique(np.concatenate([own for _, _, own in found]))
        for number, here, own in found:
            number[here] = first + union.searchsorted(own)
        keys.append(union)
        sizes.append(len(union))
        first += len(union)
    return np.concatenate(keys), tuple(sizes)


def _log_probs(model: NGram, vocabulary: Vocabulary, keys: Nodes, sizes: tuple[int, ...]) -> Floats:
    """Return what a model says of each n-gram of the mixture `[M]`."""
    ids = np.array(model.vocabulary.encode(vocabulary.words))
    lacking = ids == model.vocabulary.unk
    lacking[: len(MARKS)] = False
    log_probs = np.zeros(len(keys), np.float32)
    states = np.zeros(len(keys), np.int64)
    for first, end in pairwise([1, *(1 + np.cumsum(sizes))]):
        contexts, words = np.divmod(keys[first:end], len(vocabulary))
        said, states[first:end] = model.step(states[contexts], ids[words])
        log_probs[first:end] = np.where(lacking[words], NEVER, said)
    return log_probs
