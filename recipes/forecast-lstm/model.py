"""The network: the distribution of the next value, a linear model plus an LSTM."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from audioseq.nn import LockedDropout, Recurrent, State

MIN_DOF = 2.05
"""Lower bound of the degrees of freedom; the variance is finite above 2."""


class StudentT(NamedTuple):
    """Distributions of the value after each step: location, scale and degrees of freedom, each `[B, T]`."""

    location: Tensor
    scale: Tensor
    dof: Tensor

    def nll(self, value: Tensor) -> Tensor:
        """Return the negative log density of observed values, nats `[B, T]`."""
        density: Tensor = torch.distributions.StudentT(self.dof, self.location, self.scale).log_prob(value)
        return -density


class ForecasterState(NamedTuple):
    """State after a series: moving averages `[B, 2, K]`, and the state of the recurrent layer."""

    averages: Tensor
    recurrent: State | None

    def repeat(self, count: int) -> ForecasterState:
        """Return `count` copies of the state of one series."""
        recurrent = self.recurrent and tuple(part.expand(count, -1) for part in self.recurrent)
        return ForecasterState(self.averages.expand(count, -1, -1), recurrent)  # type: ignore[arg-type]


class Forecaster(nn.Module):
    """Forecast a series that is normalised to a mean of 0 and a variance of 1 by its past.

    Exponential moving averages of the values and of their squares, over several half-lives, represent trend
    and volatility. A linear function of these is an autoregression with volatility clustering. The recurrent
    layer reads the same inputs, and its output is added; its weights in the head are initialised to zero.

    Args:
        recurrent: use an LSTM; without it, its contribution can be measured.
        hidden_size: units of the LSTM.
        half_lives: half-lives of the averages, in steps.
        dropout: probability of zeroing an output of the LSTM in training.
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
            self.linear.weight[1, 1 + count :] = 1 / count  # the initial scale is a mean of the recent ones
            self.linear.bias.copy_(torch.tensor([0.0, -0.2]))

    def forward(self, x: Tensor, state: ForecasterState | None = None) -> tuple[StudentT, ForecasterState]:
        """Forecast the value after each of `x` `[B, T]`, continuing from a state.

        Returns:
            the distributions, and the state after the last value.
        """
        averages, recurrent = state or (x.new_tensor([0.0, 1.0]).repeat(len(x), 1)[:, :, None], None)
        keep = 0.5 ** (1 / self.half_lives)
        history = []
        for value in x.unbind(1):
            averages = keep * averages + (1 - keep) * torch.stack([value, value.square()], dim=1)[:, :, None]
            history.append(averages)
        trend, power = torch.stack(history, dim=1).unbind(2)
        features = torch.cat([x[:, :, None], trend, (power + 1e-4).log() / 2], dim=2)
        outputs = self.linear(features)
        if self.recurrent is not None:
            y, recurrent = self.recurrent(features, state=recurrent)
            outputs = outputs + self.head(self.dropout(y))
        location, log_scale = outputs.unbind(2)
        dof = MIN_DOF + softplus(self.dof).expand_as(location)
        return StudentT(location, log_scale.exp(), dof), ForecasterState(averages, recurrent)
