"""Loading of batches and their transfer to a device."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audioseq.training.task import Task


def load_batches(task: Task, epoch: int, plan: Sequence[list[int]], workers: int) -> Iterator[Any]:
    """Yield the collated batch of each list of examples, in order, and None for an empty list.

    Args:
        task: task that collates the examples.
        epoch: epoch of the batches.
        plan: indices of the examples of each batch.
        workers: number of processes that prepare batches in advance; 0 prepares each batch on request.
    """
    collate = partial(_collate, task, epoch)
    # The default generator would be the one that dropout uses.
    options: dict[str, Any] = {"num_workers": workers, "generator": torch.Generator()}
    return iter(DataLoader(cast(Dataset[Any], plan), batch_size=None, collate_fn=collate, **options))


def _collate(task: Task, epoch: int, indices: list[int]) -> Any:
    return task.collate(indices, epoch) if indices else None


def to_device(batch: Any, device: torch.device) -> Any:
    """Return a batch with its tensors on a device; tensors may be nested in tuples, dicts and dataclasses."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: to_device(item, device) for key, item in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(item, device) for item in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(to_device(item, device) for item in batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {f.name: to_device(getattr(batch, f.name), device) for f in dataclasses.fields(batch)}
        return dataclasses.replace(batch, **fields)
    return batch
