"""The protocol that an application implements to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from audioseq.checkpoint import Header


@dataclass(frozen=True)
class Loss:
    """The loss of a batch, not yet averaged, so that parts of a batch add up to the whole.

    Args:
        total: sum over the batch, a scalar tensor.
        weight: what the sum is over (tokens, frames); the loop divides by the weight of the whole update.
        seconds: audio in the batch, for the report of speed.
    """

    total: Tensor
    weight: int
    seconds: float = 0.0


class Task(Protocol):
    """What the training loop asks of an application: batches, a loss, a figure to judge by.

    A task may also have `notice(metrics) -> str | None`, what to tell the user after the first epoch, and
    `config`, the whole resolved recipe, which is written into the run's directory.

    A task whose examples go on from one batch to the next (truncated backpropagation through time) has
    `carry: tuple[Tensor, ...]` too, empty at first: what `loss` keeps of a batch for the next one, detached,
    each tensor with a row for each of its examples. Batches must then all be of one size, and the example in
    some place of a batch follow the one in this place of the batch before: so each process, whose share
    has the same places in every batch, has streams of its own. The loop saves the rows of all processes
    with the state of the run, hands each its own when the run is resumed, and sets them to zero where a
    loss is not finite. The task empties its carry where its streams begin.
    """

    @property
    def name(self) -> str:
        """What the model does, such as `speech`; a model file says it."""

    @property
    def metric(self) -> str:
        """Name of the validation figure that decides which model is best; lower is better."""

    @property
    def model(self) -> nn.Module:
        """The model to train; the loop moves it to its device."""

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch as indices of examples, always the same for the same epoch."""

    def collate(self, indices: Sequence[int], epoch: int) -> Any:
        """Return the batch of these examples as CPU tensors in a tuple, dict or dataclass.

        The indices are one process's share of a planned batch. What is random (augmentation) must depend on
        the seed, the epoch and the example alone, so that a resumed run sees the same.
        """

    def loss(self, batch: Any, model: nn.Module) -> Loss:
        """Return the loss of a batch that has been moved to the model's device."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return figures on held-out data, `metric` among them; the model is in evaluation mode."""

    def header(self, card: dict[str, Any]) -> Header:
        """Return what a model file says beside its weights."""
