"""What a model file keeps of the pieces that it was trained on, so that new pieces copy none of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audioseq import checkpoint
from audioseq.music.memorisation.copies import Hashes, voices
from audioseq.music.representation.grid import Piece

EVERY = 5
"""Of so many runs that begin one after the other, one is kept at least."""
RUN = 17 - EVERY
"""Steps from note to note in a run that is kept; 17 notes, the shortest copy that counts, have `EVERY`."""
PROBES = 8
"""Bits that stand for a run."""
ROOM = 16
"""Bits of the table for each run, at least: of runs that are not kept, 1 in 1,700 at most seems to be."""
TENSOR = "training_runs"
"""Its name in a model file."""


@dataclass(frozen=True)
class Fingerprint:
    """The runs of notes of some pieces, whatever their key, in a table of bits.

    Every 17 notes in a row of these pieces hold a run of 13 that is kept, so a piece that has none of those
    shares no 17 notes with them. Of the runs of a long passage one in five is enough for that, as all runs of
    a new piece are looked up. (Where both sides are thinned, it takes two in six: Schleimer, Wilkerson and
    Aiken 2003, "Winnowing".) The table is a Bloom filter (Bloom 1970): it forgets no run, and takes some that
    are new for known.

    Example:
        >>> from audioseq.music.representation.grid import GridNote
        >>> tune = [GridNote(6 * n, 0, -60 - n * n % 7 - n // 9, 6, 80) for n in range(40)]
        >>> heard = Fingerprint.of([Piece(tuple(tune), (0,), (0,))])
        >>> higher = tuple(note._replace(down=note.down - 5) for note in tune)
        >>> [heard.has_run_of(Piece(higher[9 : 9 + count], (0,), (0,))) for count in (12, 17)]
        [False, True]
    """

    bits: bytes
    """The table, as many bits as a power of two."""

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Fingerprint:
        """Take the fingerprint of pieces."""
        kept: set[int] = set()
        for runs in _runs(pieces):
            missed = 0
            for run in runs.tolist():
                missed = 0 if run in kept else missed + 1
                if missed == EVERY:
                    kept.add(run)
                    missed = 0
        size = 1 << (max(ROOM * len(kept), 8) - 1).bit_length()
        table = np.zeros(size, bool)
        for places in _places(np.array(sorted(kept), np.uint64), size):
            table[places] = True
        return cls(np.packbits(table, bitorder="little").tobytes())

    def __or__(self, other: Fingerprint) -> Fingerprint:
        """Return that of the pieces of both; a small table repeated is a large one: places are remainders."""
        small, large = sorted((self.bits, other.bits), key=len)
        small *= len(large) // len(small)
        return Fingerprint((np.frombuffer(small, np.uint8) | np.frombuffer(large, np.uint8)).tobytes())

    def __contains__(self, run: int) -> bool:
        """Return whether a run is known, by its hash of 64 bits."""
        last, stride, bits = 8 * len(self.bits) - 1, run >> 32 | 1, self.bits
        for _ in range(PROBES):
            place = run & last
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
            run += stride
        return True

    def has_run_of(self, piece: Piece) -> bool:
        """Return whether a piece has one of the runs; if not, it shares no 17 notes in a row with them."""
        return any(run in self for runs in _runs([piece]) for run in runs.tolist())

    def tensor(self) -> Tensor:
        """Return it as a model file keeps it `[bytes]` uint8."""
        return torch.frombuffer(bytearray(self.bits), dtype=torch.uint8)

    @classmethod
    def from_tensor(cls, tensor: Tensor) -> Fingerprint:
        """Take it from what a model file keeps."""
        return cls(tensor.numpy().tobytes())


def write_fingerprint(
    heard: Fingerprint, models: Collection[Path], *, known_to: str | Path | None = None
) -> None:
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


def _runs(pieces: Iterable[Piece]) -> Iterator[np.ndarray]:
    """Yield the hashes of the runs of each voice, one after the other, uint64."""
    for piece in pieces:
        for steps in voices(piece):
            if len(steps) >= RUN:
                hashes = Hashes.of([steps], np.random.default_rng(0))
                yield hashes.windows(RUN, np.arange(len(steps) - RUN + 1))


def _places(runs: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the places of the bits that stand for each run (double hashing: Kirsch & Mitzenmacher 2006)."""
    strides = runs >> np.uint64(32) | np.uint64(1)
    for _ in range(PROBES):
        yield runs & np.uint64(size - 1)
        runs = runs + strides
