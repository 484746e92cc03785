"""A task whose examples go on from batch to batch: a GRU follows the decaying sum of six long series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from audioseq.checkpoint import Header
from audioseq.training import Loss, TrainingConfig

STREAMS, WINDOWS, FRAMES = 6, 7, 5


class Batch(NamedTuple):
    """Windows `[B, T, 1]` of the series, what is to be said of them, and whether the series begin here."""

    x: Tensor
    y: Tensor
    begins: bool


class Follower(nn.Module):
    """GRU, dropout, linear; the state goes in and comes out."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map `[B, T, 1]` and what is remembered `[1, B, 6]` to `[B, T, 1]` and the same."""
        y, state = self.gru(x, state)
        return self.head(self.dropout(y)), state


class Streams:
    """The task.

    Args:
        config: only the seed matters to it.
        dropout: of the network.
        poison: windows, counted over the run, whose target is not a number.
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
        """A batch is a window of all series; the example in its place n is one of series n."""
        return [[window * STREAMS + stream for stream in range(STREAMS)] for window in range(WINDOWS)]

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Cut the windows."""
        window, streams = indices[0] // STREAMS, [index % STREAMS for index in indices]
        frames = slice(window * FRAMES, (window + 1) * FRAMES)
        return Batch(self.x[streams, frames], self.y[streams, frames], window == 0)

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Squared error, summed over frames."""
        if batch.begins:
            self.carry = ()
        state = self.carry[0].transpose(0, 1).contiguous() if self.carry else None
        self.received.append(torch.zeros(0) if state is None else state[0])
        y, state = model(batch.x, state)
        self.carry = (state.detach().transpose(0, 1),)
        return Loss((y - batch.y).square().sum(), y.numel())

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Mean squared error over all series at once."""
        error = (model(self.x, None)[0] - self.y).square()
        return {"error": float(error[~error.isnan()].mean())}

    def header(self, card: dict[str, Any]) -> Header:
        """Nothing but the card."""
        return Header("streams", {}, {}, {}, card)
