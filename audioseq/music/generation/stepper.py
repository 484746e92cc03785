"""The network one event at a time in NumPy, which needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.special import ndtr

from audioseq.music.config import ModelConfig
from audioseq.music.generation.sampling import nll
from audioseq.music.representation.event_state import (
    COLUMN_OFFSETS,
    COLUMNS,
    FEATURES,
    FIELD_OFFSETS,
    FIELD_SIZES,
    KNOWN_FIELDS,
    LOOKBACK_BARS,
    LOOKBACK_OFFSETS,
    LOOKBACK_SIZES,
)
from audioseq.runtime.graph import select
from audioseq.runtime.step import ArrayState, StackStep, fuse

PITCH_CLASS_BITS = 1 << np.arange(12)
GATES = {"gru": 3, "lstm": 4}


class EventStep:
    """One step of a music model: the scores are those of `MusicModel`, up to rounding.

    Args:
        weights: the state dict of a `MusicModel` as arrays.
        config: its sizes.
    Raises:
        ValueError: the weights do not have the names, the shapes and the types that the sizes require.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], config: ModelConfig) -> None:
        found = {name: array.shape for name, array in weights.items()}
        if found != weight_shapes(config) or any(array.dtype.kind != "f" for array in weights.values()):
            raise ValueError("the weights are not those of a music model of this config")
        self.stack = StackStep(fuse(select(weights, "stack."), config.cell), config.cell, residual=True)
        self._table, self._lookback_table = weights["table.weight"], weights["look.weight"]
        self._offsets, self._lookback_offsets = np.array(COLUMN_OFFSETS[:-1]), np.array(LOOKBACK_OFFSETS[:-1])
        self._project = _linear(weights, "project")
        self._heads = [_linear(weights, f"heads.{field}") for field in range(len(FIELD_SIZES))]
        starts = zip(FIELD_OFFSETS, FIELD_SIZES, strict=True)
        self._rows = [self._table[start : start + size] for start, size in starts]
        self._columns = [np.ascontiguousarray(rows.T) for rows in self._rows]
        self._biases = [weights[f"biases.{field}"] for field in range(len(FIELD_SIZES))]

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
        chord = (features[:, FEATURES - 1 :] & PITCH_CLASS_BITS) > 0
        x = np.concatenate((embedded, repeated, chord), axis=1, dtype=embedded.dtype)
        y, states = self.stack(x, states)
        weight, bias = self._project
        return y @ weight + bias, states

    def read(self, features: Iterable[np.ndarray], rows: int) -> tuple[list[np.ndarray], list[ArrayState]]:
        """Read whole sequences from their beginning: return the result of each step, and the last states.

        Args:
            features: of each step `[B, FEATURES]`.
            rows: the number B of sequences.
        """
        summaries, states = [], self.stack.initial_states(rows)
        for each in features:
            summary, states = self(each, states)
            summaries.append(summary)
        return summaries, states

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

    def nats(self, summary: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Return the negative log-likelihood of events in nats `[N]`.

        Args:
            summary: input of the heads before each event `[N, width]`.
            events: with relative pitches `[N, 6]`; -1 marks fields without a value.
        """
        total = np.zeros(len(events))
        for field, known in enumerate(KNOWN_FIELDS):
            index = np.flatnonzero(events[:, field] >= 0)
            conditioned = summary[index]
            for each in known:
                conditioned = self.condition(conditioned, each, events[index, each])
            total[index] += nll(self.scores(conditioned, field), events[index, field])
        return total


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a `MusicModel` by name."""
    width, size, gates = config.width, config.hidden_size, GATES[config.cell] * config.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "table.weight": (COLUMN_OFFSETS[-1], width),
        "look.weight": (LOOKBACK_OFFSETS[-1], config.look_width),
        "project.weight": (width, size),
        "project.bias": (width,),
    }
    for field, values in enumerate(FIELD_SIZES):
        shapes[f"heads.{field}.weight"] = width, width
        shapes[f"heads.{field}.bias"] = (width,)
        shapes[f"biases.{field}"] = (values,)
    inputs = width + len(LOOKBACK_BARS) * config.look_width + len(PITCH_CLASS_BITS)
    for number in range(config.num_layers):
        layer = f"stack.layers.{number}.forward_layer"
        shapes[f"{layer}.weight_ih_l0"] = gates, size if number else inputs
        shapes[f"{layer}.weight_hh_l0"] = gates, size
        shapes[f"{layer}.bias_ih_l0"] = shapes[f"{layer}.bias_hh_l0"] = (gates,)
        shapes[f"stack.norms.{number}.weight"] = shapes[f"stack.norms.{number}.bias"] = (size,)
    return shapes


def _linear(weights: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(weights[f"{name}.weight"].T), weights[f"{name}.bias"]
