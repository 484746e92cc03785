"""Two problems that ask for a long memory, networks that try them, and both as a task to train on."""

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

Network = Literal["rnn_tanh", "gru", "lstm", "lstm_chrono"]


class Batch(NamedTuple):
    """Sequences `[B, T, F]`, and the answers to give at their ends."""

    x: Tensor
    y: Tensor


def draw_adding(generator: torch.Generator, count: int, length: int) -> Batch:
    """Draw numbers from 0 to 1, one marked in each half; the answer `[B, 1]` is the sum of the two marked."""
    numbers, marks = torch.rand(count, length, generator=generator), torch.zeros(count, length)
    for start, end in ((0, length // 2), (length // 2, length)):
        marks.scatter_(1, torch.randint(start, end, (count, 1), generator=generator), 1.0)
    return Batch(torch.stack([numbers, marks], dim=2), (numbers * marks).sum(1, keepdim=True))


def draw_copy(generator: torch.Generator, count: int, length: int) -> Batch:
    """Draw ten symbols, `length` blanks, the last saying "now", and ten more; the answer is the symbols."""
    symbols = torch.randint(SYMBOLS, (count, COPIED), generator=generator)
    blanks = torch.full((count, length + COPIED), SYMBOLS)
    blanks[:, length - 1] = SYMBOLS + 1
    return Batch(one_hot(torch.cat([symbols, blanks], dim=1), SYMBOLS + 2).float(), symbols)


@dataclass(frozen=True)
class Problem:
    """A problem: features in, values out at each of the last frames, and how an answer is judged.

    The baseline is the least error that is possible without memory: by answering 1, or by guessing.
    """

    draw: Callable[[torch.Generator, int, int], Batch]
    inputs: int
    outputs: int
    frames: int
    error: Callable[[Tensor, Tensor], Tensor]
    baseline: float


PROBLEMS = {
    "adding": Problem(draw_adding, 2, 1, 1, lambda said, y: mse_loss(said[:, :, 0], y), 1 / 6),
    "copy": Problem(
        draw_copy, SYMBOLS + 2, SYMBOLS, COPIED, lambda said, y: cross_entropy(said.mT, y), math.log(SYMBOLS)
    ),
}


class Memory(nn.Module):
    """One recurrent layer, and a linear map from its last frames to the answer.

    In `lstm_chrono` the forget gates start out keeping for 1 to T frames, whatever T is here, and the input
    gates writing as seldom. Source: Tallec & Ollivier 2018, "Can recurrent neural networks warp time?".
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
        """Map sequences `[B, T, F]` to answers `[B, frames, outputs]`."""
        y: Tensor = self.head(self.recurrent(x)[0][:, -self.problem.frames :])
        return y


class MemoryTask:
    """A problem and a network, as the training loop wants them. No sequence is seen twice.

    Args:
        model: what `Memory` is made with.
        held_out: file of sequences to validate on.
        batch_size, batches: sequences to a batch, and batches to an epoch.
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
        """Cut the epoch's sequences into batches."""
        return [list(range(start, start + self.batch_size)) for start in range(0, self.size, self.batch_size)]

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Pick sequences from those of the epoch, which are drawn together."""
        if epoch != self.epoch:
            generator = keyed_generator(self.seed, epoch, "memory")
            self.epoch, self.drawn = epoch, self.problem.draw(generator, self.size, self.length)
        return Batch(self.drawn.x[indices], self.drawn.y[indices])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the error, as a sum over the answers."""
        answers = batch.y.numel()
        return Loss(self.problem.error(model(batch.x), batch.y) * answers, answers)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the error on the held-out sequences."""
        return {"error": self.problem.error(model(self.held_out.x), self.held_out.y).item()}

    def header(self, card: dict[str, Any]) -> Header:
        """Return what it takes to make the model again."""
        return Header("memory", config=self.options, card=card)


def read(path: Path) -> Batch:
    """Read held-out sequences that `prepare.py` wrote."""
    if not path.exists():
        raise DataError(f"{path}: is missing; run prepare.py first, with the same --config and --smoke")
    with np.load(path) as arrays:
        return Batch(torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["y"]))
