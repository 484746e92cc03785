"""Protocols that an application implements to be trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from audioseq.checkpoint import Header
from audioseq.config import Config


@dataclass(frozen=True)
class Loss:
    """Loss of a batch as a sum, so that the losses of several batches can be added.

    Args:
        total: sum over the batch, a scalar tensor.
        weight: number of summands (tokens, frames); the loop divides by the weight of the whole update.
        seconds: seconds of audio in the batch, for the reported speed.
    """

    total: Tensor
    weight: int
    seconds: float = 0.0


class Task(Protocol):
    """Interface between the training loop and an application: batches, loss and validation.

    A task needs no base class. The optional members are separate protocols: `HasConfig`, `GivesAdvice` and
    `CarriesState`. A task that has one of them should name the protocol as a base class; mypy then reports a
    missing or misspelled member.
    """

    @property
    def name(self) -> str:
        """Name of the application, such as `speech`, written to the model file."""

    @property
    def metric(self) -> str:
        """Name of the validation metric that selects the best model; lower is better."""

    @property
    def model(self) -> nn.Module:
        """Model to train; the loop moves it to its device."""

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch as indices of examples; equal epochs have equal batches."""

    def collate(self, indices: Sequence[int], epoch: int) -> Any:
        """Return the batch of these examples as CPU tensors in a tuple, dict or dataclass.

        The indices are one process's part of a planned batch. Random augmentation must depend only on the
        seed, the epoch and the example, so that a resumed run gets the same batches.
        """

    def loss(self, batch: Any, model: nn.Module) -> Loss:
        """Return the loss of a batch that is on the model's device."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return metrics on held-out data, `metric` among them; the model is in evaluation mode."""

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of a model file."""


@runtime_checkable
class HasConfig(Protocol):
    """Optional part of a task: the resolved recipe, which the loop writes to the run directory."""

    config: Config


@runtime_checkable
class GivesAdvice(Protocol):
    """Optional part of a task: advice to the user after the first epoch."""

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Return a message for the log, or None, given the metrics of the first validation after an epoch."""


@runtime_checkable
class CarriesState(Protocol):
    """Optional part of a task whose examples continue those of the previous batch (truncated BPTT).

    `carry` holds the detached state that `loss` keeps of a batch for the next one: tensors with one row for
    each example of the batch, or () at the start of the streams, where the task clears it. All batches must
    have the same size, and example i of a batch must continue example i of the previous batch. Each process
    has the same positions of every batch, and therefore streams of its own. The loop saves the rows of all
    processes in the training state, restores them when a run is resumed, and sets them to zero after a loss
    that is not finite.
    """

    carry: tuple[Tensor, ...]
