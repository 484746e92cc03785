"""The network one event at a time in numpy, for generation on the CPU."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy.special import ndtr
from torch import nn

from audioseq.music.model import FIELD_SIZES, MusicModel
from audioseq.music.representation.event_state import COLUMNS, FEATURES, LOOKBACK_SIZES
from audioseq.nn.step import make_step, to_array
from audioseq.runtime.step import ArrayState


class EventStep:
    """One step of a music model. The weights are copied once.

    Args:
        model: the scores equal those of this model up to rounding.
    """

    def __init__(self, model: MusicModel) -> None:
        self.stack = make_step(model.stack)
        self._table, self._lookback_table = to_array(model.table.weight), to_array(model.look.weight)
        self._offsets, self._lookback_offsets = to_array(model.offsets), to_array(model.lookback_offsets)
        self._pitch_class_bits = to_array(model.pitch_class_bits)
        self._project = _linear(model.project)
        self._heads = [_linear(cast(nn.Linear, head)) for head in model.heads]
        starts = zip(model.row_offsets, FIELD_SIZES, strict=True)
        self._rows = [self._table[start : start + size] for start, size in starts]
        self._columns = [np.ascontiguousarray(rows.T) for rows in self._rows]
        self._biases = [to_array(bias) for bias in model.biases]

    def __call__(self, features: np.ndarray, states: list[ArrayState]) -> tuple[np.ndarray, list[ArrayState]]:
        """Return the input of the heads `[B, width]`, and the states after the event.

        Args:
            features: `[B, FEATURES]` int64, see `EventState.features`.
            states: of the recurrent layers, after the events before.
        """
        lookbacks = features[:, len(COLUMNS) : FEATURES - 1].reshape(len(features), -1, len(LOOKBACK_SIZES))
        columns = self._table.take(features[:, : len(COLUMNS)] + self._offsets, axis=0)
        embedded = np.add.reduce(columns, axis=1)
        looked_up = self._lookback_table.take(lookbacks + self._lookback_offsets, axis=0)
        repeated = np.add.reduce(looked_up, axis=2).reshape(len(features), -1)
        chord = (features[:, FEATURES - 1 :] & self._pitch_class_bits) > 0
        x = np.concatenate((embedded, repeated, chord), axis=1, dtype=embedded.dtype)
        y, states = self.stack(x, states)
        weight, bias = self._project
        return y @ weight + bias, states

    def scores(self, summary: np.ndarray, field: int) -> np.ndarray:
        """Return the scores of the values of a field: unnormalised log-probabilities `[B, V]`.

        Args:
            summary: input of the heads, conditioned on the fields before `[B, width]`.
            field: column of an event.
        """
        weight, bias = self._heads[field]
        z = summary @ weight + bias
        return np.asarray(z * ndtr(z) @ self._columns[field] + self._biases[field])  # z Φ(z) is GELU

    def condition(self, summary: np.ndarray, field: int, values: np.ndarray) -> np.ndarray:
        """Return the input of the heads, conditioned on the values of one more field `[B, width]`."""
        return np.asarray(summary + self._rows[field].take(values, axis=0))


def _linear(layer: nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(to_array(layer.weight).T), to_array(layer.bias)
