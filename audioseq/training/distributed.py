"""Several processes that train one model: started by torchrun, on one machine or many.

    torchrun --nproc-per-node 2 -m audioseq train CONFIG

and on each of two machines with four GPUs, the first of which is HOST:

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \\
        -m audioseq train CONFIG
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from audioseq.device import choose_device
from audioseq.errors import AudioseqError

T = TypeVar("T")

PATIENCE = timedelta(days=1)
"""How long a process waits for the others: the first may validate. One that dies is noticed at once."""


@dataclass(frozen=True)
class Group:
    """This process among those that train together; alone, rank 0 of 1."""

    rank: int
    size: int
    device: torch.device

    def share(self, indices: Sequence[int]) -> list[int]:
        """Return this process's part of a batch, empty when the batch is smaller than the group."""
        return list(indices[self.rank :: self.size])

    def sum(self, vector: Tensor) -> None:
        """Replace a vector by its sum over all processes."""
        if self.size > 1:
            dist.all_reduce(vector)

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def gather(self, rows: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the rows of the whole batch, of tensors with a row for each example of a process's part."""
        own = [tensor.cpu() for tensor in rows]
        parts: list[Any] = [own]
        if self.size > 1:
            parts = [None] * self.size
            dist.all_gather_object(parts, own)
        wholes = []
        for pieces in zip(*filter(None, parts), strict=True):  # one without examples has nothing
            whole = torch.cat(pieces)
            for rank, piece in enumerate(pieces):
                whole[rank :: self.size] = piece
            wholes.append(whole)
        return tuple(wholes)

    def first(self, work: Callable[[], T]) -> T:
        """Let the first process do something while the others wait, and give its result to all.

        An AudioseqError there is raised there, and ends the others in silence: one line, not one a process.
        """
        if self.size == 1:
            return work()
        told: list[Any] = [None, False]
        error: AudioseqError | None = None
        if self.rank == 0:
            try:
                told = [work(), True]
            except AudioseqError as caught:
                error = caught
        dist.broadcast_object_list(told, 0)
        if error is not None:
            raise error
        if not told[1]:
            raise SystemExit(1)
        result: T = told[0]
        return result


def join(device: str = "auto") -> Group:
    """Join the processes that torchrun started (or whatever group there is already), or be alone.

    Args:
        device: `auto` (a GPU for each process where there are GPUs), `cpu`, `cuda`, `cuda:1`, `mps`.
    Raises:
        ConfigError: the device does not exist.
    """
    chosen = choose_device(device)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
        # Its functions have the group of the moment as a default argument, and an optimiser imports it. After
        # the group, it would keep it and gloo's threads past their end, and a process may abort as it exits.
        import_module("torch.distributed.nn")
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    if not dist.is_initialized():
        return Group(0, 1, chosen)
    return Group(dist.get_rank(), dist.get_world_size(), chosen)


def total(number: int) -> int:
    """Return the sum of a number over all processes that torchrun started, when all have come here.

    torchrun ends all of them as soon as one ends with an error: where others may have work left, whoever
    has failed in something waits for them here.
    """
    if not dist.is_torchelastic_launched():
        return number
    vector = torch.tensor([number])
    join("cpu").sum(vector)
    return int(vector)
