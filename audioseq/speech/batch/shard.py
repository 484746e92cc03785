"""Split recordings between processes that share only an output folder."""

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
    """One of several parts of a set of recordings.

    The part of a recording depends only on its name, not on the order of the recordings or on the others.
    """

    index: int
    """From 1 to `count`."""
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def select(self, recordings: Iterable[Recording]) -> list[Recording]:
        """Return the recordings of this part, in their original order."""
        return [r for r in recordings if self.count == 1 or _number(r.name) % self.count == self.index - 1]


WHOLE = Shard(1, 1)


def parse(text: str) -> Shard:
    """Parse a part such as `2/8`, the second of eight.

    Raises:
        ConfigError: the text is not a part.
    Example:
        >>> parse("2/8")
        Shard(index=2, count=8)
    """
    if match := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII):
        shard = Shard(int(match[1]), int(match[2]))
        if 1 <= shard.index <= shard.count:
            return shard
    raise ConfigError(f"shard {text!r}: is not a part; give i/n with i from 1 to n, such as 1/8 or 8/8")


def choose(text: str | None, environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the given part, or by default that of this process among those of torchrun or srun.

    The variables that SLURM sets in a batch script are ignored, because the script itself runs only once.

    Args:
        text: such as `2/8`.
        environment: variables of the process.
    Returns:
        the part; the only one (1/1) if no part is given and the process was not started by torchrun or srun.
    Raises:
        ConfigError: the text is not a part, or the variables contradict each other.
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
    """Return the part of a process; ranks are counted from 0."""
    if not (rank.isdecimal() and count.isdecimal() and int(rank) < int(count)):
        raise ConfigError(f"{where}: is {rank}/{count} in the environment; set --shard I/N instead")
    return Shard(int(rank) + 1, int(count))


def _number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), "little")
