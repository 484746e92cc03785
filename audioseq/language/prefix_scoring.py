"""Log probabilities of many similar sentences, such as an n-best list, with shared prefixes computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from audioseq.language.config import LanguageConfig
from audioseq.language.units import Units, restore_units
from audioseq.models import open_model
from audioseq.runtime.graph import select
from audioseq.runtime.step import ArrayState, StackStep

HEAD_ROWS = 256
"""Positions whose next tokens are scored at once; limits the memory of the scores to some megabytes."""


class PrefixScorer:
    """Scores sentences on the CPU by a tree of their token prefixes.

    Sentences of an n-best list differ in few words, so the tree has a fraction of their tokens. One step of
    the recurrent stack processes all prefixes of one length.

    Args:
        weights: the state dict of a `LanguageModel`, as arrays.
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
        outputs = self._outputs(list(tree))
        edges = list(tree) + [(path[-1], self.units.end) for path in nodes]
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
            shift = x.max(axis=1)
            total = shift + np.log(np.exp(x - shift[:, None]).sum(axis=1))
            end = first[start + HEAD_ROWS] if start + HEAD_ROWS < len(nodes) else len(edges)
            index = edges_by_node[first[start] : end]
            rows = np.searchsorted(chosen, edges[index, 0])
            result[index] = x[rows, edges[index, 1]] - total[rows]
        return result


def load_prefix_scorer(model: str | Path) -> PrefixScorer:
    """Load a language model by its name or path, without torch.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
    """
    config, stored = open_model(model, "language", LanguageConfig)
    units = restore_units(stored.header.tokenizer)
    stored.check_finite()
    try:
        scorer = PrefixScorer(stored.arrays, config.model.cell, units)
        scorer(["".join(units.pieces[-1:]).strip()])  # fails if the sizes do not fit together
        if len(stored.arrays["embedding.weight"]) != units.size:
            raise ValueError("the vocabulary has another size")
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise stored.misfit() from error
    return scorer
