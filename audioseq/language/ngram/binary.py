"""Compact n-gram files: log probabilities quantised to one byte each, the trie as child counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.errors import CheckpointError
from audioseq.language.ngram.model import LOG_ZERO, NGram
from audioseq.language.ngram.prune import Mask
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary

TASK = "ngram"
QUANTISATION_LEVELS = 256
"""Number of values of a byte."""
CHILDREN_OVERFLOW = 255
"""A byte with this value means this many children or more; a separate tensor holds the exact number."""
LLOYD_ITERATIONS = 20
HEADER_BYTES = 2**13
"""Estimated size of the header of a file, including the model card."""


def save(path: str | Path, model: NGram, card: dict[str, Any] | None = None) -> None:
    """Write a model atomically; log probabilities and back-off weights have 256 levels in each order.

    Contexts without children have no back-off weight in the file: it is 1 in a normalised model.

    Args:
        card: model card; see `checkpoint.Header`.
    Raises:
        FileError: the file cannot be written.
    """
    import torch

    text = "\n".join(model.vocabulary.words[len(SPECIAL_TOKENS) :])
    tensors: dict[str, NDArray[Any]] = {"vocabulary": np.frombuffer(text.encode(), np.uint8)}
    contexts, words = np.divmod(model.keys, len(model.vocabulary))
    children = np.bincount(contexts[1:], minlength=len(model.keys))
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        nodes = slice(first, end)
        values = {"log_probs": model.log_probs[nodes]}
        if order > 1:
            tensors[f"{order}.words"] = words[nodes].astype(np.min_scalar_type(len(model.vocabulary) - 1))
        if order < model.order:
            counts = children[nodes]
            tensors[f"{order}.children"] = np.minimum(counts, CHILDREN_OVERFLOW).astype(np.uint8)
            tensors[f"{order}.children.many"] = counts[counts >= CHILDREN_OVERFLOW].astype(np.uint32)
            values["backoffs"] = model.backoffs[nodes][counts > 0]
        for name, exact in values.items():
            if order == 1:
                tensors[f"1.{name}"] = exact.astype(np.float16)
            else:
                codes, levels = quantise(exact)
                tensors |= {f"{order}.{name}": codes, f"{order}.{name}.levels": levels}
    config = {"order": model.order, "sizes": list(model.sizes)}
    stored = {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
    checkpoint.save(path, stored, Header(TASK, config, card=card or {}))


def load(path: str | Path) -> NGram:
    """Read a model.

    Raises:
        CheckpointError: the file is missing, damaged, or not an n-gram model.
    """
    stored = checkpoint.load(path, task=TASK)
    try:
        return _assemble(stored.arrays, int(stored.header.config["order"]))
    except (CheckpointError, KeyError, ValueError, IndexError, TypeError, OverflowError):
        raise CheckpointError(f"{path}: damaged n-gram model; download or train it again") from None


def estimate_file_size(model: NGram, keep: Mask) -> int:
    """Estimate the size in bytes of the file of a part of the nodes, with a model card of usual length."""
    total = HEADER_BYTES + sum(len(word.encode()) + 1 for word in model.vocabulary.words)
    contexts = model.keys // len(model.vocabulary)
    width = np.min_scalar_type(len(model.vocabulary) - 1).itemsize
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        number = int(keep[first:end].sum())
        total += number * (2 if order == 1 else 1 + width)
        if order < model.order:
            longer = slice(end, model.bounds[order + 1])
            children = np.bincount(contexts[longer][keep[longer]] - first, minlength=1)
            weights, overflows = int((children > 0).sum()), int((children >= CHILDREN_OVERFLOW).sum())
            total += number + weights * (2 if order == 1 else 1) + overflows * 4
    return total


def quantise(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Quantise values to at most 256 levels; 0, if it occurs, is exact.

    Lloyd's algorithm reduces the squared error: levels start at evenly spaced quantiles and move to the mean
    of the values nearest to them.

    Returns:
        the index of the nearest level of each value, and the levels.
    """
    levels = np.unique(values)
    if len(levels) > QUANTISATION_LEVELS:
        nonzero, count = values[values != 0], QUANTISATION_LEVELS - 1  # one level is reserved for 0
        levels = np.unique(np.quantile(nonzero, (np.arange(count) + 0.5) / count))
        for _ in range(LLOYD_ITERATIONS):
            nearest = _nearest(nonzero, levels)
            counts = np.bincount(nearest, minlength=len(levels))
            sums = np.bincount(nearest, nonzero, len(levels))
            levels = np.sort(np.where(counts, sums / np.maximum(counts, 1), levels))
        levels = np.unique(np.append(levels, 0))
    levels = levels.astype(np.float32)
    return _nearest(values, levels).astype(np.uint8), levels


def _nearest(values: NDArray[np.floating], levels: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def _assemble(tensors: dict[str, NDArray[Any]], order: int) -> NGram:
    """Build the trie from the tensors of a file; raises ValueError and others if they are inconsistent."""
    text = tensors["vocabulary"].tobytes().decode()
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *text.split("\n")) if text else SPECIAL_TOKENS)
    keys = [np.array([-1]), np.arange(len(vocabulary))]
    log_probs = [np.zeros(1, np.float32), np.maximum(tensors["1.log_probs"], np.float32(LOG_ZERO))]
    backoffs = [np.zeros(1, np.float32)]
    first = 1
    # Nodes are sorted by context, so the number of children of each context says which words belong to it.
    for longer in range(2, order + 1):
        shorter = longer - 1
        children = tensors[f"{shorter}.children"].astype(np.int64)
        children[children == CHILDREN_OVERFLOW] = tensors[f"{shorter}.children.many"]
        if children.sum() != len(tensors[f"{longer}.words"]):  # before memory is allocated for them
            raise ValueError("the numbers of children are wrong")
        codes = tensors[f"{shorter}.backoffs"]
        backoffs.append(np.zeros(len(children), np.float32))
        backoffs[-1][children > 0] = codes if shorter == 1 else tensors[f"{shorter}.backoffs.levels"][codes]
        contexts = np.repeat(np.arange(first, first + len(keys[-1])), children)
        keys.append(contexts * len(vocabulary) + tensors[f"{longer}.words"])
        log_probs.append(tensors[f"{longer}.log_probs.levels"][tensors[f"{longer}.log_probs"]])
        first += len(keys[-2])
    all_keys = np.concatenate(keys)
    sizes = tuple(len(part) for part in keys[1:])
    values = np.concatenate(log_probs), np.concatenate(backoffs)
    if (
        [len(part) for part in log_probs[1:]] != list(sizes)
        or [len(part) for part in backoffs[1:]] != list(sizes[:-1])
        or not all(np.isfinite(part).all() for part in values)
        or not (np.diff(all_keys) > 0).all()
        or any((tensors[f"{n}.words"] >= len(vocabulary)).any() for n in range(2, order + 1))
    ):
        raise ValueError("the tensors are inconsistent")
    return NGram(vocabulary, all_keys, *values, sizes)
