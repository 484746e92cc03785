"""Random generators keyed by (seed, epoch, id): order, workers and resuming change nothing."""

from __future__ import annotations

import hashlib

import torch


def keyed_generator(seed: int, epoch: int, key: str) -> torch.Generator:
    """Return a random generator that depends on its arguments alone.

    Drawing an utterance's augmentation from it makes the order of utterances, the number of workers and a
    resumed run change nothing.

    Example:
        >>> a, b = keyed_generator(0, 3, "utterance"), keyed_generator(0, 3, "utterance")
        >>> torch.equal(torch.rand(9, generator=a), torch.rand(9, generator=b))
        True
    """
    digest = hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))
