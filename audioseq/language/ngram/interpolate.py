"""Interpolate two n-gram models, such as a general one and one of the user's own text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from audioseq.language.ngram.model import LOG_ZERO, ROOT, Floats, NGram, Nodes
from audioseq.language.ngram.prune import normalise
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary


def interpolate(one: NGram, other: NGram, weight: float) -> NGram:
    """Interpolate two models linearly.

    The result has the n-grams of both models, with the weighted mean of their probabilities and new back-off
    weights. A model gives probability zero to a word that only the other one knows, and treats it as `<unk>`
    in contexts. Source: Stolcke 2002, "SRILM, an extensible language modeling toolkit", static interpolation.

    Args:
        weight: share of `other`, 0 to 1.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be 0 to 1, got {weight}")
    known = set(one.vocabulary.words)
    vocabulary = Vocabulary((*one.vocabulary.words, *(w for w in other.vocabulary.words if w not in known)))
    keys, sizes = _merge_keys(one, other, vocabulary)
    both = (_log_probs(model, vocabulary, keys, sizes) for model in (one, other))
    ours, theirs = (np.exp(log_probs.astype(np.float64)) for log_probs in both)
    with np.errstate(divide="ignore"):
        log_probs = np.maximum(np.log((1 - weight) * ours + weight * theirs), LOG_ZERO)
    log_probs[ROOT] = 0
    backoffs = np.zeros(1 + sum(sizes[:-1]), np.float32)
    return normalise(NGram(vocabulary, keys, log_probs.astype(np.float32), backoffs, sizes))


def _merge_keys(one: NGram, other: NGram, vocabulary: Vocabulary) -> tuple[Nodes, tuple[int, ...]]:
    """Return the keys of the n-grams of either model, and their number in each order."""
    merged_nodes = [np.zeros(len(model.keys), np.int64) for model in (one, other)]
    keys, sizes = [np.array([-1])], []
    first = 1
    for order in range(1, max(one.order, other.order) + 1):
        parts: list[tuple[Nodes, slice, Nodes]] = []
        for model, merged in zip((one, other), merged_nodes, strict=True):
            if order <= model.order:
                nodes = slice(*model.bounds[order - 1 : order + 1])
                contexts, words = np.divmod(model.keys[nodes], len(model.vocabulary))
                ids = np.array(vocabulary.encode(model.vocabulary.words))
                parts.append((merged, nodes, merged[contexts] * len(vocabulary) + ids[words]))
        union = np.unique(np.concatenate([own_keys for _, _, own_keys in parts]))
        for merged, nodes, own_keys in parts:
            merged[nodes] = first + union.searchsorted(own_keys)
        keys.append(union)
        sizes.append(len(union))
        first += len(union)
    return np.concatenate(keys), tuple(sizes)


def _log_probs(model: NGram, vocabulary: Vocabulary, keys: Nodes, sizes: tuple[int, ...]) -> Floats:
    """Compute the log probabilities of the merged n-grams under one model `[M]`."""
    ids = np.array(model.vocabulary.encode(vocabulary.words))
    missing = ids == model.vocabulary.unk
    missing[: len(SPECIAL_TOKENS)] = False
    log_probs = np.zeros(len(keys), np.float32)
    states = np.zeros(len(keys), np.int64)
    for first, end in pairwise([1, *(1 + np.cumsum(sizes))]):
        contexts, words = np.divmod(keys[first:end], len(vocabulary))
        own, states[first:end] = model.step(states[contexts], ids[words])
        log_probs[first:end] = np.where(missing[words], LOG_ZERO, own)
    return log_probs
