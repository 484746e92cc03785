"""A fingerprint of the training pieces, stored in the model file, so that generation can avoid copies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audioseq import checkpoint
from audioseq.errors import CheckpointError
from audioseq.music.memorisation.copies import Hashes, voice_steps
from audioseq.music.representation.grid import Piece

MAX_RUN_SPACING = 5
"""Of this many consecutive runs, at least one is stored."""
RUN_STEPS = 17 - MAX_RUN_SPACING
"""Steps from note to note in a stored run; 17 notes, the shortest copy, have `MAX_RUN_SPACING` runs."""
HASH_COUNT = 8
"""Bits of the Bloom filter that each run sets."""
TABLE_BITS_PER_RUN = 16
"""At least this many bits per stored run; then at most 1 in 1,700 other runs is a false positive."""
TENSOR_NAME = "training_runs"
"""Name of the tensor in a model file."""


@dataclass(frozen=True)
class Fingerprint:
    """The runs of notes of some pieces in any key, as a Bloom filter (Bloom 1970).

    Every 17 consecutive notes of these pieces contain a stored run of 13, so a piece without stored runs
    shares no 17 notes with them. Of the runs of a long passage one in five is enough, because all runs of a
    new piece are looked up. (If both sides were thinned, two in six would be needed: Schleimer, Wilkerson and
    Aiken 2003, "Winnowing".) A Bloom filter has no false negatives and a few false positives.

    Example:
        >>> from audioseq.music.representation.grid import GridNote
        >>> tune = [GridNote(6 * n, 0, -60 - n * n % 7 - n // 9, 6, 80) for n in range(40)]
        >>> fingerprint = Fingerprint.from_pieces([Piece(tuple(tune), (0,), (0,))])
        >>> higher = tuple(note._replace(negative_pitch=note.negative_pitch - 5) for note in tune)
        >>> [fingerprint.shares_run_with(Piece(higher[9 : 9 + n], (0,), (0,))) for n in (12, 17)]
        [False, True]
    """

    bits: bytes
    """The table; its number of bits is a power of two."""

    @classmethod
    def from_pieces(cls, pieces: Iterable[Piece]) -> Fingerprint:
        """Compute the fingerprint of pieces."""
        stored: set[int] = set()
        for runs in _runs(pieces):
            skipped = 0
            for run in runs.tolist():
                skipped = 0 if run in stored else skipped + 1
                if skipped == MAX_RUN_SPACING:
                    stored.add(run)
                    skipped = 0
        size = 1 << (max(TABLE_BITS_PER_RUN * len(stored), 8) - 1).bit_length()
        table = np.zeros(size, bool)
        for places in _places(np.array(sorted(stored), np.uint64), size):
            table[places] = True
        return cls(np.packbits(table, bitorder="little").tobytes())

    def __or__(self, other: Fingerprint) -> Fingerprint:
        """Return the fingerprint of the pieces of both.

        Places are hashes modulo the size of the table, so a small table repeated is a valid larger one.
        """
        small, large = sorted((self.bits, other.bits), key=len)
        small *= len(large) // len(small)
        return Fingerprint((np.frombuffer(small, np.uint8) | np.frombuffer(large, np.uint8)).tobytes())

    def __contains__(self, run: int) -> bool:
        """Return whether a run, given by its 64-bit hash, is stored."""
        # The same places as in `_places`, without numpy: generation looks up a few runs after each note.
        last, stride, bits = 8 * len(self.bits) - 1, run >> 32 | 1, self.bits
        for _ in range(HASH_COUNT):
            place = run & last
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
            run += stride
        return True

    def shares_run_with(self, piece: Piece) -> bool:
        """Return whether a piece has a stored run; if not, it shares no 17 consecutive notes."""
        return any(run in self for runs in _runs([piece]) for run in runs.tolist())

    @classmethod
    def from_array(cls, array: np.ndarray) -> Fingerprint:
        """Return the fingerprint that a model file stores, uint8 `[bytes]`; CheckpointError if damaged."""
        if array.dtype != np.uint8 or not array.size or array.size & (array.size - 1):
            raise CheckpointError("the fingerprint in the model file is damaged; download or train it again")
        return cls(array.tobytes())


def write_fingerprint(
    fingerprint: Fingerprint, models: Collection[Path], *, base_model: str | Path | None = None
) -> None:
    """Add a fingerprint to model files.

    Args:
        fingerprint: of the training pieces.
        models: model files, which are rewritten.
        base_model: the model that they were adapted from; its fingerprint is included.
    """
    import torch  # not at the top: models compose where torch is not installed

    if base_model is not None and (base := checkpoint.load(base_model).arrays.get(TENSOR_NAME)) is not None:
        fingerprint = fingerprint | Fingerprint.from_array(base)
    tensor = torch.frombuffer(bytearray(fingerprint.bits), dtype=torch.uint8)
    for path in models:
        stored = checkpoint.load(path)
        checkpoint.save(path, {**stored.weights, TENSOR_NAME: tensor}, stored.header)


def _runs(pieces: Iterable[Piece]) -> Iterator[np.ndarray]:
    """Yield the hashes of the runs of each voice in order, uint64."""
    for piece in pieces:
        for steps in voice_steps(piece):
            if len(steps) >= RUN_STEPS:
                hashes = Hashes.from_voices([steps], np.random.default_rng(0))
                yield hashes.windows(RUN_STEPS, np.arange(len(steps) - RUN_STEPS + 1))


def _places(runs: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield the places of the bits of each run, by double hashing (Kirsch & Mitzenmacher 2006)."""
    strides = runs >> np.uint64(32) | np.uint64(1)
    for _ in range(HASH_COUNT):
        yield runs & np.uint64(size - 1)
        runs = runs + strides
