"""Two problems that require long-term memory, the networks, and the training task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from audioseq.checkpoint import Header
from audioseq.errors import DataError
from audioseq.nn import Recurrent
from audioseq.seeding import keyed_generator
from audioseq.training import Loss

SYMBOLS, COPIED = 8, 10
"""Copy: number of different symbols, and of symbols in a sequence."""

Network = Literal["rnn_tanh", "gru", "lstm", "lstm_chrono"]


class Batch(NamedTuple):
    """Sequences `[B, T, F]` and their targets."""

    x: Tensor
    y: Tensor


def draw_adding(generator: torch.Generator, count: int, length: int) -> Batch:
    """Draw numbers from 0 to 1, one marked in each half; the target `[B, 1]` is the sum of the two marked."""
    numbers, marks = torch.rand(count, length, generator=generator), torch.zeros(count, length)
    for start, end in ((0, length // 2), (length // 2, length)):
        marks.scatter_(1, torch.randint(start, end, (count, 1), generator=generator), 1.0)
    return Batch(torch.stack([numbers, marks], dim=2), (numbers * marks).sum(1, keepdim=True))


def draw_copy(generator: torch.Generator, count: int, length: int) -> Batch:
    """Draw ten symbols, `length` blanks, the last a recall marker, and ten blanks; the target is the ten."""
    symbols = torch.randint(SYMBOLS, (count, COPIED), generator=generator)
    blanks = torch.full((count, length + COPIED), SYMBOLS)
    blanks[:, length - 1] = SYMBOLS + 1
    return Batch(one_hot(torch.cat([symbols, blanks], dim=1), SYMBOLS + 2).float(), symbols)


@dataclass(frozen=True)
class Problem:
    """A problem: how to draw sequences, its sizes, and its error.

    Args:
        draw: draws a batch, given a generator, the number of sequences and their length.
        inputs, outputs: features of a frame, and values to predict for one.
        frames: number of frames, at the end, that have a prediction.
        error: of predictions and targets.
        baseline: lowest possible error without memory: of the constant 1, or of guessing.
    """

    draw: Callable[[torch.Generator, int, int], Batch]
    inputs: int
    outputs: int
    frames: int
    error: Callable[[Tensor, Tensor], Tensor]
    baseline: float


PROBLEMS = {
    "adding": Problem(draw_adding, 2, 1, 1, lambda scores, y: mse_loss(scores[:, :, 0], y), 1 / 6),
    "copy": Problem(
        draw_copy,
        SYMBOLS + 2,
        SYMBOLS,
        COPIED,
        lambda scores, y: cross_entropy(scores.mT, y),
        math.log(SYMBOLS),
    ),
}


class Memory(nn.Module):
    """One recurrent layer, and a linear layer on its last frames.

    In `lstm_chrono` the gate biases are initialised for time scales of 1 to T frames, T being the length of
    the problem: forget gates keep the state for that long, input gates are open as rarely. Source: Tallec &
    Ollivier 2018, "Can recurrent neural networks warp time?".
    """

    def __init__(self, problem: str, network: Network, length: int, hidden_size: int) -> None:
        super().__init__()
        self.problem = PROBLEMS[problem]
        cell: Any = network.removesuffix("_chrono")
        self.recurrent = Recurrent(cell, self.problem.inputs, hidden_size)
        self.head = nn.Linear(hidden_size, self.problem.outputs)
        if network == "lstm_chrono":
            keep = torch.empty(hidden_size).uniform_(1, length + self.problem.frames - 1).log()
            bias = self.get_parameter("recurrent.forward_layer.bias_ih_l0").data
            bias[: 2 * hidden_size] = torch.cat([-keep, keep])

    def forward(self, x: Tensor) -> Tensor:
        """Map sequences `[B, T, F]` to predictions `[B, frames, outputs]`."""
        y: Tensor = self.head(self.recurrent(x)[0][:, -self.problem.frames :])
        return y


class MemoryTask:
    """A problem and a network as a training task. Each epoch draws new sequences.

    Args:
        model: arguments of `Memory`.
        held_out: file of the validation sequences.
        batch_size, batches: sequences in a batch, and batches in an epoch.
        seed: of the weights and the sequences.
    """

    name, metric = "memory", "error"

    def __init__(
        self, model: dict[str, Any], held_out: Path, *, batch_size: int, batches: int, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.options, self.model = model, Memory(**model)
        self.problem, self.length = self.model.problem, int(model["length"])
        self.batch_size, self.size, self.seed = batch_size, batch_size * batches, seed
        self.held_out = self.drawn = read(held_out)
        self.epoch = -1

    def plan(self, epoch: int) -> list[list[int]]:
        """Split the sequences of the epoch into batches."""
        return [list(range(start, start + self.batch_size)) for start in range(0, self.size, self.batch_size)]

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Select sequences of the epoch, all of which are drawn at once."""
        if epoch != self.epoch:
            generator = keyed_generator(self.seed, epoch, "memory")
            self.epoch, self.drawn = epoch, self.problem.draw(generator, self.size, self.length)
        return Batch(self.drawn.x[indices], self.drawn.y[indices])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the error, summed over the target values."""
        count = batch.y.numel()
        return Loss(self.problem.error(model(batch.x), batch.y) * count, count)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the error on the held-out sequences."""
        return {"error": self.problem.error(model(self.held_out.x), self.held_out.y).item()}

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file."""
        return Header("memory", config=self.options, card=card)


def read(path: Path) -> Batch:
    """Read held-out sequences that `prepare.py` wrote; DataError if they are missing."""
    if not path.exists():
        raise DataError(f"{path}: is missing; run prepare.py first, with the same --set and --smoke")
    with np.load(path) as arrays:
        return Batch(torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]))
