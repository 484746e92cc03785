"""The network in ONNX Runtime, which starts faster than torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audioseq.checkpoint import Checkpoint
from audioseq.language.punctuation.batch import ScoreArrays, pad_words
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.labels import CASES, MARKS
from audioseq.runtime.graph import Graph, linear, recurrent_stack, select
from audioseq.runtime.session import Session

_INPUT, _LENGTHS, _SCORES = "words", "lengths", "scores"


class OnnxModel:
    """The trained network of a model file.

    The embeddings are sums of rows of a table in NumPy; the recurrent stack and the linear layer are a graph.

    Args:
        config: config of the model.
        stored: its file.
    Raises:
        CheckpointError: the weights do not match the config, or are not finite.
    """

    def __init__(self, config: PunctuationConfig, stored: Checkpoint) -> None:
        stored.check_finite()
        weights = stored.arrays
        try:
            self._embedding, self._pauses = weights["embedding.weight"], weights["pause_embedding.weight"]
            sizes = self._embedding.shape[1], weights["stack.layers.0.forward_layer.weight_hh_l0"].shape[1]
            if sizes != (config.model.embedding_size, config.model.hidden_size):
                raise ValueError("sizes of the embedding or of the layers")
            graph = Graph()
            x = graph.input(_INPUT, "float32", ["B", "T", self._embedding.shape[1]])
            lengths = graph.input(_LENGTHS, "int64", ["B"])
            y = recurrent_stack(
                graph, x, lengths, select(weights, "stack."), config.model.cell, residual=False
            )
            labels = len(CASES) + len(MARKS)
            graph.output(_SCORES, linear(graph, y, select(weights, "head.")), "float32", ["B", "T", labels])
            self._session = Session(graph.to_bytes({}), str(stored.path))
            self.score_rows([[[0]]], [[0.0]])  # fails if the sizes contradict each other
        except (KeyError, ValueError, IndexError) as error:
            raise stored.misfit() from error

    def score_rows(
        self, rows: Sequence[Sequence[Sequence[int]]], pauses: Sequence[Sequence[float] | None]
    ) -> ScoreArrays:
        """Score the labels of each word of texts `[B, T, ...]`.

        Args:
            rows, pauses: as in `pad_words`.
        """
        batch = pad_words(rows, pauses)
        x = self._embedding[batch.pieces].sum(2) + self._pauses[batch.pauses]
        (scores,) = self._session([_SCORES], {_INPUT: x.astype(np.float32), _LENGTHS: batch.lengths})
        return ScoreArrays(*np.split(scores, [len(CASES)], axis=2))
