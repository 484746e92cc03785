"""Task with truncated BPTT: a GRU predicts the decaying sum of six long series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from audioseq.checkpoint import Header
from audioseq.training import CarriesState, Loss, TrainingConfig

STREAMS, WINDOWS, FRAMES = 6, 7, 5


class Batch(NamedTuple):
    """Windows `[B, T, 1]` of the series, their targets, and whether the series begin here."""

    x: Tensor
    y: Tensor
    begins: bool


class Follower(nn.Module):
    """GRU, dropout and linear layer with explicit state."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map inputs `[B, T, 1]` and a state `[1, B, 6]` to outputs `[B, T, 1]` and the new state."""
        y, state = self.gru(x, state)
        return self.head(self.dropout(y)), state


class Streams(CarriesState):
    """Task that carries its state from batch to batch.

    Args:
        config: only the seed is used.
        dropout: dropout probability of the network.
        poison: indices of windows whose target is NaN.
    """

    name = "streams"
    metric = "error"

    def __init__(self, config: TrainingConfig, *, dropout: float = 0.2, poison: Sequence[int] = ()) -> None:
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(STREAMS, WINDOWS * FRAMES, 1, generator=generator)
        sums, total = [], torch.zeros(STREAMS, 1)
        for frame in self.x.unbind(1):
            total = 0.9 * total + frame
            sums.append(total)
        self.y = torch.stack(sums, dim=1)
        for window in poison:
            self.y[0, window * FRAMES] = torch.nan
        torch.manual_seed(config.seed)
        self.model = Follower(dropout)
        self.carry: tuple[Tensor, ...] = ()
        self.received: list[Tensor] = []

    def plan(self, epoch: int) -> list[list[int]]:
        """Return one batch for each window; example n of a batch belongs to series n."""
        return [[window * STREAMS + stream for stream in range(STREAMS)] for window in range(WINDOWS)]

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Return the windows."""
        window, streams = indices[0] // STREAMS, [index % STREAMS for index in indices]
        frames = slice(window * FRAMES, (window + 1) * FRAMES)
        return Batch(self.x[streams, frames], self.y[streams, frames], window == 0)

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the squared error, summed over frames."""
        if batch.begins:
            self.carry = ()
        state = self.carry[0].transpose(0, 1).contiguous() if self.carry else None
        self.received.append(torch.zeros(0) if state is None else state[0])
        y, state = model(batch.x, state)
        self.carry = (state.detach().transpose(0, 1),)
        return Loss((y - batch.y).square().sum(), y.numel())

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean squared error over the whole series."""
        error = (model(self.x, None)[0] - self.y).square()
        return {"error": float(error[~error.isnan()].mean())}

    def header(self, card: dict[str, Any]) -> Header:
        """Return a header with the card only."""
        return Header("streams", {}, {}, {}, card)
