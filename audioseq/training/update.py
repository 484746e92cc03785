"""One update of a model: the gradient over batches and processes, clipping, and a step of the optimiser."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from audioseq.training.batches import to_device
from audioseq.training.config import TrainingConfig
from audioseq.training.distributed import Group
from audioseq.training.optim import Gradients, learning_rate
from audioseq.training.precision import autocast, choose_precision
from audioseq.training.run import TrainingProgress
from audioseq.training.task import CarriesState, Task


@dataclass(frozen=True)
class Update:
    """The metrics of an update, over all processes."""

    loss: float
    """Mean loss; NaN if all batches were skipped."""
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    seconds: float
    """Seconds of audio in the batches."""
    skipped: int
    """Batches whose loss was not finite, and 1 more if the gradient was not."""
    save_due: bool
    """Whether it is time to save the training state."""


class Updater:
    """Performs the updates of a run.

    Args:
        task: the model and its loss.
        config: options of the run.
        group: the processes of the run.
        optimizer: of the model.
        log: called with a message about the precision.
    """

    def __init__(
        self,
        task: Task,
        config: TrainingConfig,
        group: Group,
        optimizer: torch.optim.Optimizer,
        log: Callable[[str], None],
    ) -> None:
        self._task, self._config, self._group, self._optimizer = task, config, group, optimizer
        self._gradients = Gradients(task.model, counts=5)
        self._precision = choose_precision(config.precision, group.device, log)

    def update(self, batches: Iterable[Any], progress: TrainingProgress, *, save_due: bool) -> Update:
        """Perform one update, and return its metrics.

        The gradient is that of the mean loss over all batches and processes. The loss sums are added up and
        then divided by the sum of their weights, so the result does not depend on the division of an update
        into batches and processes.

        Args:
            batches: of this process; None for a batch with fewer examples than there are processes.
            progress: of the run before the update.
            save_due: whether it is time to save for this process; if it is for one, it is for all.
        """
        config, group, gradients = self._config, self._group, self._gradients
        key = repr((config.seed, progress.update, group.rank)).encode()
        torch.manual_seed(int.from_bytes(hashlib.sha256(key).digest()[:4]))  # for dropout
        self._task.model.train()
        gradients.vector.zero_()
        sums = self._add_gradients(batches)
        gradients.counts.copy_(torch.tensor([*sums, save_due]))
        group.all_reduce(gradients.vector)
        total, weight, seconds, skipped, due = gradients.counts.tolist()
        gradients.gradient.div_(max(weight, 1.0))
        norm = gradients.clip(config.clip)
        rate = learning_rate(config, progress.update, progress.position / config.epochs)
        if weight and math.isfinite(norm):
            for parameters in self._optimizer.param_groups:
                parameters["lr"] = rate
            self._optimizer.step()
        elif weight:  # the losses are finite, their gradient is not
            skipped += 1
        loss = total / weight if weight else math.nan
        return Update(loss, rate, norm, seconds, int(skipped), save_due=due > 0)

    def _add_gradients(self, batches: Iterable[Any]) -> tuple[float, float, float, int]:
        """Add up the gradients of batches; return their losses, weights and seconds, and the skipped ones."""
        total = weight = seconds = 0.0
        skipped = 0
        for batch in batches:
            if batch is None:
                continue
            with autocast(self._group.device, self._precision):
                loss = self._task.loss(to_device(batch, self._group.device), self._task.model)
            value = loss.total.item()
            if not math.isfinite(value):
                skipped += 1
                if isinstance(self._task, CarriesState):
                    self._task.carry = tuple(map(torch.zeros_like, self._task.carry))
                continue
            loss.total.backward()
            total, weight, seconds = total + value, weight + loss.weight, seconds + loss.seconds
        return total, weight, seconds, skipped
