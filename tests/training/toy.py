"""Toy task that trains in a second: a small GRU with dropout predicts a running mean."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from audioseq.checkpoint import Header
from audioseq.config import Config, parse, read_toml
from audioseq.errors import AudioseqError
from audioseq.training import HasConfig, Loss, Task, TrainingConfig, fit
from tests.mortal import make_mortal

EXAMPLES = 26


class Batch(NamedTuple):
    """Padded sequences `[B, T, 1]`, their running means, and the mask of valid frames."""

    x: Tensor
    y: Tensor
    valid: Tensor


class Follower(nn.Module):
    """GRU, dropout and linear layer."""

    def __init__(self, outputs: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 6, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(6, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map `[B, T, 1]` to `[B, T, outputs]`."""
        y: Tensor = self.head(self.dropout(self.gru(x)[0]))
        return y


class Toy(HasConfig):
    """Toy task.

    Args:
        config: only the seed is used.
        batch: examples per batch.
        random: whether to use dropout and noise on the input.
        poison: indices of examples whose target is NaN.
        outputs: size of the head; only the first output is used.
        errors: values that successive validations return instead of the error.
    """

    name = "toy"
    metric = "error"

    def __init__(
        self,
        config: TrainingConfig,
        *,
        batch: int = 4,
        random: bool = True,
        poison: Sequence[int] = (),
        outputs: int = 1,
        errors: Sequence[float] = (),
    ) -> None:
        self.config: Config = config
        self.seed, self.batch, self.random = config.seed, batch, random
        generator = torch.Generator().manual_seed(0)
        self.x = [torch.randn(3 + i % 5, 1, generator=generator) for i in range(EXAMPLES)]
        self.y = [x.cumsum(0) / torch.arange(1, len(x) + 1)[:, None] for x in self.x]
        for index in poison:
            self.y[index] = self.y[index] * torch.nan
        self.errors = list(errors)
        torch.manual_seed(self.seed)
        self.model = Follower(outputs, 0.2 if random else 0.0)

    def plan(self, epoch: int) -> list[list[int]]:
        """Return shuffled batches; the last one is smaller."""
        order = torch.randperm(EXAMPLES, generator=torch.Generator().manual_seed(epoch)).tolist()
        return [order[start : start + self.batch] for start in range(0, EXAMPLES, self.batch)]

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Pad the examples, with noise that depends on the epoch and the example."""
        xs = [self.x[index] for index in indices]
        if self.random:
            seeds = [1000 * epoch + index for index in indices]
            xs = [
                x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
                for x, seed in zip(xs, seeds, strict=True)
            ]
        pad = nn.utils.rnn.pad_sequence
        valid = pad([torch.ones(len(x), dtype=torch.bool) for x in xs], batch_first=True)
        return Batch(pad(xs, batch_first=True), pad([self.y[i] for i in indices], batch_first=True), valid)

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the squared error, summed over frames."""
        error = (model(batch.x)[..., :1] - batch.y)[batch.valid]
        return Loss(error.square().sum(), int(batch.valid.sum()), seconds=0.01 * len(error))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean squared error without noise."""
        torch.rand(1)  # random numbers drawn in validation must not affect training
        if self.errors:
            return {"error": self.errors.pop(0)}
        losses = [
            torch.nn.functional.mse_loss(model(x[None])[0, :, :1], y)
            for x, y in zip(self.x, self.y, strict=True)
            if not y.isnan().any()
        ]
        return {"error": float(torch.stack(losses).mean())}

    def header(self, card: dict[str, Any]) -> Header:
        """Return a header with the card only."""
        return Header("toy", {}, {}, {}, card)


def child(
    run_dir: Path,
    config: TrainingConfig,
    *,
    kill_at_operation: int = 0,
    kill_after: float | None = None,
    task: Callable[..., Task] | None = None,
    rank: tuple[int, int] = (0, 1),
    store: Path | None = None,
    **settings: Any,
) -> None:
    """Train in this process, a child of the test process; resume an existing run.

    Args:
        run_dir: run directory.
        config: options of the run.
        kill_at_operation: number (from 1) of the file operation at which the process is killed.
        kill_after: seconds after which the process is killed.
        task: class of the task; the toy task by default.
        rank: rank and size of the group.
        store: file through which the processes of the group meet.
        settings: options of the task.
    """
    torch.set_num_threads(1)
    if rank[1] > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank[0], world_size=rank[1])
    made = (task or Toy)(config, **settings)
    make_mortal(kill_at_operation, kill_after)
    try:
        fit(made, config, run_dir, resume=True, device="cpu")
    except AudioseqError as error:
        (run_dir / f"error{rank[0]}").write_text(str(error))
        sys.exit(1)


def _count_gloo_threads(run_dir: Path) -> None:
    """Write the number of threads of the group that remain at the end of this process (on Linux)."""
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    (run_dir / f"threads{os.environ['RANK']}").write_text(str(sum("gloo" in name for name in names)))


if __name__ == "__main__":  # under torchrun
    atexit.register(_count_gloo_threads, Path(sys.argv[1]))  # the first registered function is called last
    child(Path(sys.argv[1]), parse(TrainingConfig, read_toml(sys.argv[2]), "toy"), batch=8, random=False)
