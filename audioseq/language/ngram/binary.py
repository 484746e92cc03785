"""N-gram models in one small file: log probabilities in one byte each, words beside their contexts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.errors import CheckpointError
from audioseq.language.ngram.model import NEVER, NGram
from audioseq.language.ngram.prune import Mask
from audioseq.language.vocabulary import MARKS, Vocabulary

TASK = "ngram"
LEVELS = 256
"""Values that a byte can stand for."""
MANY = 255
"""In a byte for the number of n-grams after a context: so many or more, and the number stands elsewhere."""
ROUNDS = 20
HEADER = 2**13
"""Bytes set aside for the header of a file, its card included."""


def save(path: str | Path, model: NGram, card: dict[str, Any] | None = None) -> None:
    """Write a model, whole or not at all; its probabilities are rounded to 256 levels for each length.

    Contexts that nothing follows have no back-off weight in the file: it is 1 in a model that is normalised.

    Args:
        card: what to say about the model; see `checkpoint.Header`.
    Raises:
        CheckpointError: the file cannot be written.
    """
    import torch

    tensors: dict[str, NDArray[Any]] = {
        "vocabulary": np.frombuffer("\n".join(model.vocabulary.words[len(MARKS) :]).encode(), np.uint8)
    }
    contexts, words = np.divmod(model.keys, len(model.vocabulary))
    children = np.bincount(contexts[1:], minlength=len(model.keys))
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        here = slice(first, end)
        values = {"log_probs": model.log_probs[here]}
        if order > 1:
            tensors[f"{order}.words"] = words[here].astype(np.min_scalar_type(len(model.vocabulary) - 1))
        if order < model.order:
            follow = children[here]
            tensors[f"{order}.children"] = np.minimum(follow, MANY).astype(np.uint8)
            tensors[f"{order}.children.many"] = follow[follow >= MANY].astype(np.uint32)
            values["backoffs"] = model.backoffs[here][follow > 0]
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
        CheckpointError: the file is missing, damaged, or another kind of model.
    """
    stored = checkpoint.load(path, task=TASK)
    tensors = {name: tensor.numpy() for name, tensor in stored.weights.items()}
    try:
        return _assemble(tensors, int(stored.header.config["order"]))
    except (CheckpointError, KeyError, ValueError, IndexError, TypeError):
        raise CheckpointError(f"{path}: is a damaged n-gram model; get or train it again") from None


def size(model: NGram, keep: Mask) -> int:
    """Return the bytes of the file of a model of some of the nodes, but for what a long card adds."""
    total = HEADER + sum(len(word.encode()) + 1 for word in model.vocabulary.words)
    contexts = model.keys // len(model.vocabulary)
    width = np.min_scalar_type(len(model.vocabulary) - 1).itemsize
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        number = int(keep[first:end].sum())
        total += number * (2 if order == 1 else 1 + width)
        if order < model.order:
            after = slice(end, model.bounds[order + 1])
            children = np.bincount(contexts[after][keep[after]] - first, minlength=1)
            weights, many = int((children > 0).sum()), int((children >= MANY).sum())
            total += number + weights * (2 if order == 1 else 1) + many * 4
    return total


def quantise(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the nearest of at most 256 levels for each value, and the levels; 0, if it occurs, is exact.

    The levels are where the squared error is least, as far as Lloyd's iteration finds: from an equal share of
    the values each, to the mean of those that are nearest.
    """
    levels = np.unique(values)
    if len(levels) > LEVELS:
        some = values[values != 0]
        levels = np.unique(np.quantile(some, (np.arange(LEVELS - 1) + 0.5) / (LEVELS - 1)))
        for _ in range(ROUNDS):
            nearest = _nearest(some, levels)
            held = np.bincount(nearest, minlength=len(levels))
            sums = np.bincount(nearest, some, len(levels))
            levels = np.sort(np.where(held, sums / np.maximum(held, 1), levels))
        levels = np.unique(np.append(levels, 0))
    levels = levels.astype(np.float32)
    return _nearest(values, levels).astype(np.uint8), levels


def _nearest(values: NDArray[np.floating], levels: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.searchsorted((levels[1:] + levels[:-1]) / 2, values)


def _assemble(tensors: dict[str, NDArray[Any]], order: int) -> NGram:
    """Build the trie of what a file holds; ValueError and the like where it does not fit together."""
    text = tensors["vocabulary"].tobytes().decode()
    vocabulary = Vocabulary((*MARKS, *text.split("\n")) if text else MARKS)
    keys = [np.array([-1]), np.arange(len(vocabulary))]
    log_probs = [np.zeros(1, np.float32), np.maximum(tensors["1.log_probs"], np.float32(NEVER))]
    backoffs = [np.zeros(1, np.float32)]
    first = 1
    for longer in range(2, order + 1):
        shorter = longer - 1
        children = tensors[f"{shorter}.children"].astype(np.int64)
        children[children == MANY] = tensors[f"{shorter}.children.many"]
        weights = tensors[f"{shorter}.backoffs"]
        backoffs.append(np.zeros(len(children), np.float32))
        backoffs[-1][children > 0] = (
            weights if shorter == 1 else tensors[f"{shorter}.backoffs.levels"][weights]
        )
        contexts = np.repeat(np.arange(first, first + len(keys[-1])), children)
        keys.append(contexts * len(vocabulary) + tensors[f"{longer}.words"])
        log_probs.append(tensors[f"{longer}.log_probs.levels"][tensors[f"{longer}.log_probs"]])
        first += len(keys[-2])
    together = np.concatenate(keys)
    sizes = tuple(len(part) for part in keys[1:])
    whole = np.concatenate(log_probs), np.concatenate(backoffs)
    if (
        [len(part) for part in log_probs[1:]] != list(sizes)
        or [len(part) for part in backoffs[1:]] != list(sizes[:-1])
        or not all(np.isfinite(part).all() for part in whole)
        or not (np.diff(together) > 0).all()
        or any((tensors[f"{n}.words"] >= len(vocabulary)).any() for n in range(2, order + 1))
    ):
        raise ValueError("its parts do not fit together")
    return NGram(vocabulary, together, *whole, sizes)
