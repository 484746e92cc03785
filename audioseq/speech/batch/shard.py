"""Parts of a set of recordings, for processes that share nothing but a folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audioseq.errors import ConfigError
from audioseq.speech.batch.inputs import Recording


@dataclass(frozen=True)
class Shard:
    """One of several parts.

    Which part a recording is in depends on its name alone: not on the order of a listing, nor on what other
    recordings there are.
    """

    index: int
    """From 1 to `count`."""
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def take(self, recordings: Iterable[Recording]) -> list[Recording]:
        """Return the recordings of this part, in their order."""
        return [r for r in recordings if self.count == 1 or _number(r.name) % self.count == self.index - 1]


WHOLE = Shard(1, 1)


def parse(text: str) -> Shard:
    """Read a part such as `2/8`, the second of eight.

    Raises:
        ConfigError: it is not one.
    Example:
        >>> parse("2/8")
        Shard(index=2, count=8)
    """
    if match := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII):
        shard = Shard(int(match[1]), int(match[2]))
        if 1 <= shard.index <= shard.count:
            return shard
    raise ConfigError(f"shard {text!r}: is no part; give i/n with i from 1 to n, such as 1/8 and 8/8")


def choose(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the part that is asked for, else that of this process among those torchrun or srun started.

    A batch script of SLURM is told how many tasks there may be, but runs once: it is no part.

    Raises:
        ConfigError: it is no part, or the environment has no numbers that go together.
    Example:
        >>> choose(None, {"RANK": "1", "WORLD_SIZE": "8"})
        Shard(index=2, count=8)
    """
    if text is not None:
        return parse(text)
    if "RANK" in environment and "WORLD_SIZE" in environment:
        return _of_rank(environment["RANK"], environment["WORLD_SIZE"], "RANK/WORLD_SIZE")
    by_srun = "SLURM_JOB_ID" not in environment or "SLURM_STEP_ID" in environment
    tasks = environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS"))
    if "SLURM_PROCID" in environment and tasks is not None and by_srun:
        return _of_rank(environment["SLURM_PROCID"], tasks, "SLURM_PROCID/SLURM_NTASKS")
    return WHOLE


def _of_rank(rank: str, count: str, where: str) -> Shard:
    """Return the part of a process; these are counted from 0."""
    if not (rank.isdecimal() and count.isdecimal() and int(rank) < int(count)):
        raise ConfigError(f"{where}: is {rank}/{count} in the environment; give --shard I/N instead")
    return Shard(int(rank) + 1, int(count))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "little")
