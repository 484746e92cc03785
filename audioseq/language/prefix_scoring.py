"""Log probabilities of many similar sentences, such as an n-best list, with shared prefixes computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from audioseq import checkpoint
from audioseq.array_cache import cached_arrays, is_cached
from audioseq.config import parse
from audioseq.language.config import LanguageConfig
from audioseq.language.units import Units, restore_units
from audioseq.models import resolve
from audioseq.runtime.graph import select
from audioseq.runtime.step import ArrayState, StackStep, fuse
from audioseq.runtime.threads import one_thread

HEAD_ROWS = 128
"""Positions whose next tokens are scored at once; limits the memory of the scores to some megabytes."""


class PrefixScorer:
    """Scores sentences on the CPU by a tree of their token prefixes.

    Sentences of an n-best list differ in few words, so the tree has a fraction of their tokens. One step of
    the recurrent stack processes all prefixes of one length.

    Args:
        weights: the state dict of a `LanguageModel` as arrays, with its stack from `fuse_stack`.
        cell: its recurrent cell.
        units: its tokens.
    Raises:
        KeyError, ValueError, IndexError: weights are missing.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], cell: str, units: Units) -> None:
        self.units = units
        self._embedding = weights["embedding.weight"]
        self._step = StackStep(select(weights, "stack."), cell)
        layers = [layer for name in ("projection.", "head.") if (layer := select(weights, name))]
        self._maps = [(layer["weight"].T, layer["bias"]) for layer in layers]

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Compute the natural log probability of each sentence, including its end.

        Args:
            texts: normalised sentences.
        Raises:
            DataError: a character is not in the alphabet.
        """
        if not texts:
            return []
        rows = [self.units.encode(text) for text in texts]
        tree: dict[tuple[int, int], int] = {}
        nodes: list[list[int]] = []  # of each sentence: the root, and a node after each token
        for row in rows:
            path = [0]
            for token in row:
                path.append(tree.setdefault((path[-1], token), len(tree) + 1))
            nodes.append(path)
        edges = list(tree) + [(path[-1], self.units.end) for path in nodes]
        with one_thread():
            outputs = self._outputs(list(tree))
            scores = self._edge_scores(outputs, np.array(edges)).tolist()
        ends = scores[len(tree) :]
        return [
            sum(scores[node - 1] for node in path[1:]) + end for path, end in zip(nodes, ends, strict=True)
        ]

    def _outputs(self, edges: Sequence[tuple[int, int]]) -> np.ndarray:
        """Return the outputs of the stack `[N + 1, H]` at the root and after each edge (parent, token)."""
        depth = [0]
        for parent, _ in edges:
            depth.append(depth[parent] + 1)
        order = np.argsort(depth, kind="stable")
        position = np.empty(len(order), int)
        position[order] = np.arange(len(order))
        parents = position[[0, *(parent for parent, _ in edges)]]
        tokens = np.array([self.units.end, *(token for _, token in edges)])
        bounds = np.searchsorted(np.sort(depth), np.arange(max(depth) + 2))
        states: list[ArrayState] = self._step.initial_states(1)
        levels, before = [], 0
        for start, end in pairwise(bounds):
            level = order[start:end]
            rows = parents[level] - before
            states = [tuple(part[rows] for part in state) for state in states]
            output, states = self._step(self._embedding[tokens[level]], states)
            levels.append(output)
            before = start
        return np.concatenate(levels)[position]

    def _edge_scores(self, outputs: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Return the log probability of the token of each edge (node, token) after its node."""
        edges_by_node = np.argsort(edges[:, 0], kind="stable")
        nodes, first = np.unique(edges[edges_by_node, 0], return_index=True)
        result = np.empty(len(edges))
        for start in range(0, len(nodes), HEAD_ROWS):
            chosen = nodes[start : start + HEAD_ROWS]
            x = outputs[chosen]
            for weight, bias in self._maps:
                x = x @ weight + bias
            x -= x.max(axis=1, keepdims=True)
            end = first[start + HEAD_ROWS] if start + HEAD_ROWS < len(nodes) else len(edges)
            index = edges_by_node[first[start] : end]
            rows = np.searchsorted(chosen, edges[index, 0])
            scores = x[rows, edges[index, 1]]
            totals = np.log(np.exp(x, out=x).sum(axis=1))
            result[index] = scores - totals[rows]
        return result


def fuse_stack(weights: Mapping[str, np.ndarray], cell: str) -> dict[str, np.ndarray]:
    """Return the weights of a `LanguageModel` with those of its stack as `StackStep` multiplies by them."""
    stack = {f"stack.{name}": array for name, array in fuse(select(weights, "stack."), cell).items()}
    return {name: array for name, array in weights.items() if not name.startswith("stack.")} | stack


def load_prefix_scorer(model: str | Path) -> PrefixScorer:
    """Load a language model by its name or path, without torch.

    The weights of a model that has a name are read from the cache by memory map.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
    """
    path = resolve(model, "language")
    header = checkpoint.read_header(path, task="language")
    config = parse(LanguageConfig, header.config, f"the config in {path}")
    units = restore_units(header.tokenizer)
    derive = partial(_fused_weights, path, config.model.cell, units)
    weights = cached_arrays(path, "steps", derive) if is_cached(path) else derive()
    return PrefixScorer(weights, config.model.cell, units)


def _fused_weights(path: Path, cell: str, units: Units) -> dict[str, np.ndarray]:
    """Read the weights for a `PrefixScorer`, and check them."""
    stored = checkpoint.load(path)
    stored.check_finite()
    try:
        weights = fuse_stack(stored.arrays, cell)
        PrefixScorer(weights, cell, units)(["".join(units.pieces[-1:]).strip()])
        if len(weights["embedding.weight"]) != units.size:
            raise ValueError("the vocabulary has another size")
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise stored.misfit() from error
    return weights
