"""Data-parallel training in several processes, started by torchrun on one or more machines.

    torchrun --nproc-per-node 2 -m audioseq train CONFIG

On each of two machines with four GPUs, where HOST is the first machine:

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
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from audioseq.device import choose_device
from audioseq.errors import AudioseqError

T = TypeVar("T")

TIMEOUT_DAYS = 1
"""Time that a process waits for the others, for example while the first one validates.

A process that dies is detected at once.
"""


@dataclass(frozen=True)
class Group:
    """Process group as seen by this process; a single process is rank 0 of 1."""

    rank: int
    size: int
    device: torch.device

    def local_part(self, indices: Sequence[int]) -> list[int]:
        """Return this process's part of a batch; it is empty if the batch is smaller than the group."""
        return list(indices[self.rank :: self.size])

    def all_reduce(self, vector: Tensor) -> None:
        """Replace a vector by its sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(vector)

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def gather_rows(self, rows: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return tensors with one row per example of the whole batch, from those of each process's part.

        It is the inverse of `local_part`: row i of process r is row i * size + r of the whole batch.
        """
        own = [tensor.cpu() for tensor in rows]
        parts: list[Any] = [own]
        if self.size > 1:
            parts = [None] * self.size
            dist.all_gather_object(parts, own)
        gathered = []
        for pieces in zip(*filter(None, parts), strict=True):  # a process without examples has no rows
            whole = torch.cat(pieces)
            for rank, piece in enumerate(pieces):
                whole[rank :: self.size] = piece
            gathered.append(whole)
        return tuple(gathered)

    def on_first_rank(self, work: Callable[[], T]) -> T:
        """Call a function on the first process while the others wait, and return its result on all.

        An AudioseqError is raised on the first process only; the other processes exit silently with status 1,
        so that the user gets one error message.
        """
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, False]  # result, and whether the call succeeded
        error: AudioseqError | None = None
        if self.rank == 0:
            try:
                outcome = [work(), True]
            except AudioseqError as caught:
                error = caught
        dist.broadcast_object_list(outcome, 0)
        if error is not None:
            raise error
        if not outcome[1]:
            raise SystemExit(1)
        return cast(T, outcome[0])


def join_group(device: str = "auto") -> Group:
    """Join the process group that torchrun started, or the existing one; otherwise return a group of one.

    Args:
        device: `auto` (one GPU per process if GPUs are available), `cpu`, `cuda`, `cuda:1`, `mps`.
    Raises:
        ConfigError: the device does not exist.
    """
    chosen = choose_device(device)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
        # The functions of torch.distributed.nn, which optimisers import, have the current group as a default
        # argument. Imported after the group exists, the module keeps the group and gloo's threads alive until
        # exit, where the process may abort; so import it first.
        import_module("torch.distributed.nn")
        backend, timeout = "nccl" if chosen.type == "cuda" else "gloo", timedelta(days=TIMEOUT_DAYS)
        dist.init_process_group(backend, timeout=timeout)
        atexit.register(dist.destroy_process_group)
    if not dist.is_initialized():
        return Group(0, 1, chosen)
    return Group(dist.get_rank(), dist.get_world_size(), chosen)


def sum_over_processes(number: int) -> int:
    """Return the sum of a number over all processes that torchrun started; waits for all of them.

    torchrun stops all processes as soon as one exits with an error. A process with failures waits here until
    the others have finished their work.
    """
    if not dist.is_torchelastic_launched():
        return number
    vector = torch.tensor([number])
    join_group("cpu").all_reduce(vector)
    return int(vector)
