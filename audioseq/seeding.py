"""Random generators keyed by (seed, epoch, id)."""

from __future__ import annotations

import hashlib

import torch


def keyed_generator(seed: int, epoch: int, key: str) -> torch.Generator:
    """Return a random generator that depends only on its arguments.

    An augmentation that is drawn from it does not depend on the order of the utterances, on the number of
    workers, or on whether the run was resumed.

    Example:
        >>> a, b = keyed_generator(0, 3, "utterance"), keyed_generator(0, 3, "utterance")
        >>> torch.equal(torch.rand(9, generator=a), torch.rand(9, generator=b))
        True
    """
    digest = hashlib.sha256(f"{seed}/{epoch}/{key}".encode("utf-8", "surrogateescape")).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))
