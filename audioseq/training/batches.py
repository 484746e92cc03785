"""Batches on their way from the task to the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audioseq.training.task import Task


def load(task: Task, epoch: int, shares: Sequence[list[int]], workers: int) -> Iterator[Any]:
    """Yield the batch of each share of examples, in order, and None for an empty share.

    Args:
        workers: processes that prepare batches ahead; 0 prepares each when it is asked for.
    """
    return iter(
        DataLoader(
            _Shares(task, epoch, shares),
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=workers,
            generator=torch.Generator(),  # else it would draw from the generator that dropout draws from
        )
    )


class _Shares(Dataset[Any]):
    def __init__(self, task: Task, epoch: int, shares: Sequence[list[int]]) -> None:
        self.task, self.epoch, self.shares = task, epoch, shares

    def __len__(self) -> int:
        return len(self.shares)

    def __getitem__(self, index: int) -> Any:
        share = self.shares[index]
        return self.task.collate(share, self.epoch) if share else None


def _as_it_is(batch: Any) -> Any:
    return batch


def move(batch: Any, device: torch.device) -> Any:
    """Return a batch with its tensors on a device, whatever tuples, dicts and dataclasses they are in."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: move(item, device) for key, item in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(move(item, device) for item in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(move(item, device) for item in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {f.name: move(getattr(batch, f.name), device) for f in dataclasses.fields(batch)}
        return dataclasses.replace(batch, **fields)
    return batch
