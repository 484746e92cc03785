"""The network one event at a time, on the processor: what composing needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from scipy.special import ndtr
from torch import nn

from audioseq.music.model import SIZES, MusicModel
from audioseq.music.representation.event_state import COLUMNS, FEATURES, LAGS, LOOKBACK
from audioseq.nn.step import Memory, StackStep, to_array


class EventStep:
    """One step of a music model; its weights are copied, once.

    Args:
        model: scores the same, but for rounding.
    """

    def __init__(self, model: MusicModel) -> None:
        self.stack = StackStep(model.stack)
        self._table, self._look = to_array(model.table.weight), to_array(model.look.weight)
        self._offsets, self._look_offsets = to_array(model.offsets), to_array(model.look_offsets)
        self._bits = to_array(model.bits)
        self._project = _linear(model.project)
        self._heads = [_linear(cast(nn.Linear, head)) for head in model.heads]
        self._rows = [
            self._table[start : start + size] for start, size in zip(model.places, SIZES, strict=True)
        ]
        self._columns = [np.ascontiguousarray(rows.T) for rows in self._rows]
        self._biases = [to_array(bias) for bias in model.biases]

    def __call__(self, features: np.ndarray, memories: Sequence[Memory]) -> tuple[np.ndarray, list[Memory]]:
        """Return what the heads read `[B, width]`, and the memories to go on from.

        Args:
            features: `[B, FEATURES]` int64, as `grammar.Walk.features` tells.
            memories: of the recurrent layers, after the events before.
        """
        columns = features[:, : len(COLUMNS)] + self._offsets
        looks = features[:, len(COLUMNS) : FEATURES - 1].reshape(-1, len(LAGS), len(LOOKBACK))
        known = np.add.reduce(self._table.take(columns, axis=0), axis=1)
        seen = np.add.reduce(self._look.take(looks + self._look_offsets, axis=0), axis=2)
        chord = (features[:, FEATURES - 1 :] & self._bits) > 0
        y, memories = self.stack(
            np.concatenate((known, seen.reshape(len(features), -1), chord), axis=1, dtype=known.dtype),
            memories,
        )
        weight, bias = self._project
        return y @ weight + bias, memories

    def scores(self, summary: np.ndarray, field: int) -> np.ndarray:
        """Score the values of one field: unnormalised log-probabilities `[B, V]`.

        Args:
            summary: what the step returned, told of the fields before `[B, width]`.
            field: column of an event.
        """
        weight, bias = self._heads[field]
        z = summary @ weight + bias
        scores: np.ndarray = z * ndtr(z) @ self._columns[field] + self._biases[field]  # z Φ(z) is GELU
        return scores

    def tell(self, summary: np.ndarray, field: int, values: np.ndarray) -> np.ndarray:
        """Return a summary that also tells the values that were chosen for a field `[B, width]`."""
        told: np.ndarray = summary + self._rows[field].take(values, axis=0)
        return told


def _linear(layer: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(to_array(layer.weight).T), to_array(layer.bias)
