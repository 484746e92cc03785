"""The training task: windows of pieces, the negative log-likelihood, and validation on whole pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from model import RollModel, VoiceModel
from rolls import KeyRange, Roll
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from voices import Voices

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.data import length_batches
from audioseq.training import Loss

Kind = Literal["rolls", "voices"]


class Piece(Protocol):
    """A piece of T frames as the arrays that a network reads."""

    def __len__(self) -> int: ...

    def window(self, start: int, end: int) -> tuple[np.ndarray, ...]:
        """Return the arrays, except the lengths, of the network's `forward`, for N frames."""


Batch = tuple[Tensor, ...]
"""The padded arrays of windows, `[B, T, ...]`, and at the end their lengths `[B]`."""


def build(kind: Kind, options: dict[str, Any]) -> tuple[nn.Module, Callable[[np.ndarray], Piece]]:
    """Build a network.

    Args:
        kind: what its pieces are.
        options: `network`, the arguments of the network; for voices `order`, for rolls `range`, see
            `rolls.KeyRange`.
    Returns:
        the network, and the function that makes its input of a piece of `dataset.read`.
    """
    network = options["network"]
    lags = tuple(network["lags"])
    if kind == "voices":
        order = tuple(options["order"])
        return VoiceModel(**network), lambda piece: Voices(piece, lags, order)
    keys = KeyRange(*options["range"])
    return RollModel(keys.high - keys.low, **network), lambda piece: Roll.of(piece, keys, lags)


class NllTask:
    """Pieces and a network as a training task.

    Args:
        kind, options: of the network, see `build`.
        train, valid: pieces of `dataset.read`.
        window_frames: maximum number of frames of a training example.
        batch_frames: maximum number of frames of a batch, with padding.
        seed: of weights and batches.
    """

    name, metric = "polyphonic", "nats"

    def __init__(
        self,
        kind: Kind,
        options: dict[str, Any],
        train: Sequence[np.ndarray],
        valid: Sequence[np.ndarray],
        *,
        window_frames: int,
        batch_frames: int,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self.kind, self.options = kind, options
        if kind == "rolls":
            self.options = {**options, "range": list(KeyRange.of(train))}
        self.model, encode = build(kind, self.options)
        self.pieces, self.valid = [encode(piece) for piece in train], [encode(piece) for piece in valid]
        self.batch_frames, self.seed = batch_frames, seed
        self.windows: list[tuple[int, int, int]] = []
        for index, piece in enumerate(self.pieces):
            bounds = np.linspace(0, len(piece), -(-len(piece) // window_frames) + 1).astype(int)
            self.windows += [(index, *ends) for ends in pairwise(bounds.tolist())]

    def plan(self, epoch: int) -> list[list[int]]:
        """Group windows of similar length in a random order of batches."""
        lengths = [float(end - start) for _, start, end in self.windows]
        return length_batches(lengths, self.batch_frames, seed=self.seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Pad windows."""
        windows = (self.windows[index] for index in indices)
        return collate([self.pieces[piece].window(start, end) for piece, start, end in windows])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the negative log-likelihood summed over the frames, in nats."""
        return Loss(model(*batch).sum(), int(batch[-1].sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean negative log-likelihood of a validation frame, in nats."""
        return {"nats": evaluate(model, self.valid)}

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file."""
        return Header("polyphonic", {"kind": self.kind, **self.options}, card=card)


def collate(windows: Sequence[tuple[np.ndarray, ...]]) -> Batch:
    """Pad the arrays of windows."""
    columns = [[torch.from_numpy(array) for array in column] for column in zip(*windows, strict=True)]
    lengths = torch.tensor([len(array) for array in columns[0]])
    return (*(pad_sequence(column, batch_first=True) for column in columns), lengths)


@torch.no_grad()
def evaluate(model: nn.Module, pieces: Sequence[Piece]) -> float:
    """Return the negative log-likelihood of whole pieces in nats, divided by their number of frames."""
    total: float = sum(
        model(*collate([piece.window(0, len(piece))])).double().sum().item() for piece in pieces
    )
    return total / sum(map(len, pieces))


def load(path: Path) -> tuple[nn.Module, Callable[[np.ndarray], Piece], Header]:
    """Load a model file in evaluation mode, with the function that makes its input of a piece."""
    stored = checkpoint.load(path, task="polyphonic")
    model, encode = build(stored.header.config["kind"], stored.header.config)
    stored.fill(model)
    return model.eval(), encode, stored.header
