"""What a model file keeps of the pieces that it was trained on, to tell when a new piece copies one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioseq import checkpoint
from audioseq.music.copies import Hashes, voices
from audioseq.music.grid import Piece

RUN = 16
"""Steps from note to note in a run: 17 notes, the first that is longer than 16."""
MOST = 100_000
"""Runs that are kept, 4 bytes each."""
TENSOR = "training_fingerprint"
"""Its name in a model file."""
ALL = 2**32 - 1
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Fingerprint:
    """Some of the runs of 17 notes of some pieces, whatever their key: those with the smallest hashes.

    A copy is found if it has one of these runs. Where all runs are kept, any copy is; where there are more
    than `MOST`, one run in `every` stands for all, and a copy of n notes is missed with a probability of
    (1 - 1 / every) ** (n - 16): what is long is found. Source: Broder 1997, "On the resemblance and
    containment of documents", whose documents are sampled by hashes in this way.

    Example:
        >>> from audioseq.music.grid import GridNote
        >>> tune = [GridNote(6 * n, 0, -60 - n * n % 7, 6, 80) for n in range(40)]
        >>> heard = Fingerprint.of([Piece(tuple(tune), (0,), (0,))])
        >>> higher = tuple(note._replace(down=note.down - 5) for note in tune)
        >>> [heard.has_run_of(Piece(higher[:count], (0,), (0,))) for count in (16, 17)]
        [False, True]
    """

    limit: int
    """The upper 32 bits of the hashes that are kept are at most this."""
    hashes: np.ndarray
    """The lower 32 bits of each, uint32, sorted."""

    @property
    def every(self) -> float:
        """How many runs one that is kept stands for."""
        return (ALL + 1) / (self.limit + 1)

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Fingerprint:
        """Take the fingerprint of pieces."""
        every = np.unique(np.concatenate([np.zeros(0, np.uint64), *map(_runs, pieces)]))
        limit = int(every[MOST - 1] >> _HALF) if len(every) > MOST else ALL
        return cls(limit, np.unique(every[:MOST].astype(np.uint32)))

    def __or__(self, other: Fingerprint) -> Fingerprint:
        """Return that of the pieces of both."""
        return Fingerprint(max(self.limit, other.limit), np.union1d(self.hashes, other.hashes))

    def has_run_of(self, piece: Piece) -> bool:
        """Return whether the piece has one of the runs."""
        runs = _runs(piece)
        asked = runs[runs >> _HALF <= self.limit].astype(np.uint32)
        return bool(np.isin(asked, self.hashes).any())

    def tensor(self) -> Tensor:
        """Return it as a model file keeps it `[1 + runs]` int32."""
        return torch.from_numpy(np.concatenate(([self.limit], self.hashes)).astype(np.uint32).view(np.int32))

    @classmethod
    def from_tensor(cls, tensor: Tensor) -> Fingerprint:
        """Take it from what a model file keeps."""
        numbers = tensor.numpy().view(np.uint32)
        return cls(int(numbers[0]), numbers[1:])


def remember(heard: Fingerprint, models: Collection[Path], *, known_to: str | Path | None = None) -> None:
    """Write the fingerprint of what was learnt from into model files, beside what was in them.

    Args:
        heard: of the pieces.
        models: files, which are replaced as a whole.
        known_to: the model that they were adapted from; what it had learnt from is theirs too.
    """
    if known_to is not None and (before := checkpoint.load(known_to).weights.get(TENSOR)) is not None:
        heard = heard | Fingerprint.from_tensor(before)
    for path in models:
        stored = checkpoint.load(path)
        checkpoint.save(path, {**stored.weights, TENSOR: heard.tensor()}, stored.header)


def _runs(piece: Piece) -> np.ndarray:
    """Return the hashes of the runs of a piece, uint64."""
    found = [np.zeros(0, np.uint64)]
    for steps in voices(piece):
        if len(steps) >= RUN:
            hashes = Hashes.of([steps], np.random.default_rng(0))
            found.append(hashes.windows(RUN, np.arange(len(steps) - RUN + 1)))
    return np.unique(np.concatenate(found))
