"""The network: the distribution of the next value, linear in what is recent, and what an LSTM adds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from audioseq.nn import LockedDropout, Recurrent, State

LEAST_DOF = 2.05


class StudentT(NamedTuple):
    """Of the value after each step: location, scale and degrees of freedom, each `[B, T]`."""

    location: Tensor
    scale: Tensor
    dof: Tensor

    def nll(self, value: Tensor) -> Tensor:
        """Return minus the log of the density at what came, nats `[B, T]`."""
        density: Tensor = torch.distributions.StudentT(self.dof, self.location, self.scale).log_prob(value)
        return -density


class Memory(NamedTuple):
    """What is known of a series so far: leaky averages `[B, 2, K]`, and the state of the recurrent layer."""

    averages: Tensor
    state: State | None

    def repeat(self, count: int) -> Memory:
        """Return so many copies of the memory of one series."""
        state = None if self.state is None else tuple(part.expand(count, -1) for part in self.state)
        return Memory(self.averages.expand(count, -1, -1), state)  # type: ignore[arg-type]


class Forecaster(nn.Module):
    """Forecast a series, normalised to a mean of 0 and a variance of 1 by its past.

    Leaky averages of the values and of their squares tell of trend and volatility, over several half-lives.
    Linear in these, the forecast is an autoregression with a volatility that clusters; the recurrent layer
    reads the same and adds to it, at first nothing.

    Args:
        recurrent: whether there is an LSTM; without it, what it adds can be measured.
        hidden_size: units of the LSTM.
        half_lives: of the averages, in steps.
        dropout: probability of dropping a unit's output while training.
    """

    half_lives: Tensor

    def __init__(
        self, *, recurrent: bool, hidden_size: int, half_lives: tuple[float, ...], dropout: float
    ) -> None:
        super().__init__()
        count = len(half_lives)
        self.register_buffer("half_lives", torch.tensor(half_lives))
        self.linear = nn.Linear(1 + 2 * count, 2)
        self.dof = nn.Parameter(torch.tensor(6.0))
        self.recurrent = Recurrent("lstm", 1 + 2 * count, hidden_size) if recurrent else None
        self.dropout = LockedDropout(dropout)
        self.head = nn.Linear(hidden_size, 2, bias=False)
        with torch.no_grad():
            self.head.weight.zero_()
            self.linear.weight.zero_()
            self.linear.weight[1, 1 + count :] = 1 / count  # the scale starts as a mean of recent ones
            self.linear.bias.copy_(torch.tensor([0.0, -0.2]))

    def forward(self, x: Tensor, memory: Memory | None = None) -> tuple[StudentT, Memory]:
        """Read values `[B, T]`; return the distributions of the value after each, and what to go on from."""
        averages, state = memory or (x.new_tensor([0.0, 1.0]).repeat(len(x), 1)[:, :, None], None)
        keep = 0.5 ** (1 / self.half_lives)
        over_time = []
        for value in x.unbind(1):
            averages = keep * averages + (1 - keep) * torch.stack([value, value.square()], dim=1)[:, :, None]
            over_time.append(averages)
        trend, power = torch.stack(over_time, dim=1).unbind(2)
        features = torch.cat([x[:, :, None], trend, (power + 1e-4).log() / 2], dim=2)
        outputs = self.linear(features)
        if self.recurrent is not None:
            y, state = self.recurrent(features, state=state)
            outputs = outputs + self.head(self.dropout(y))
        location, log_scale = outputs.unbind(2)
        dof = LEAST_DOF + softplus(self.dof).expand_as(location)
        return StudentT(location, log_scale.exp(), dof), Memory(averages, state)
