"""Find copies: the longest run of notes that a piece shares with other pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audioseq.music.representation.grid import Piece
from audioseq.music.representation.vocabulary import PITCHES, TICKS_PER_QUARTER

SIXTEENTH_TICKS = TICKS_PER_QUARTER // 4
SEED_STEPS = 8
"""Length of the runs that are searched first; longer runs are searched only where one of these is found."""
MAX_INTERVAL_SEMITONES, MAX_GAP_SIXTEENTHS = 64, 64
"""Larger steps are clipped to these."""
_RANDOM = np.random.default_rng(20250101)
INTERVALS = 2 * MAX_INTERVAL_SEMITONES + 1
STEP_HASHES = _RANDOM.integers(2**63, size=INTERVALS * (MAX_GAP_SIXTEENTHS + 1), dtype=np.uint64)
"""A random number for each possible step from a note to the next."""
HASH_BASE = int(_RANDOM.integers(2**62)) * 2 + 1
"""Base of the polynomial hash. It is odd, so it has an inverse modulo 2^64."""


class SharedRun(NamedTuple):
    """The longest run of notes that two pieces share in any key and tempo."""

    notes: int
    source: int
    """Index of the piece that has the run; -1 if no run is shared."""


@dataclass(frozen=True)
class CopyIndex:
    """An index of pieces to search for shared runs of notes.

    A piece is reduced to the steps from each note to the next (semitones, sixteenths), of all its tracks
    together and of each track, so that a copy is found in another key and with another accompaniment. Equal
    runs of steps have equal 64-bit polynomial hashes (Karp & Rabin 1987), computed from prefix sums.

    Example:
        >>> from audioseq.music.representation.grid import GridNote
        >>> tune = [GridNote(6 * n * n, 0, -60 - n * n % 7, 6, 80) for n in range(20)]
        >>> higher = [note._replace(negative_pitch=note.negative_pitch - 5) for note in tune[4:14]]
        >>> index = CopyIndex.from_pieces([Piece(tuple(tune), (0,), (0,))])
        >>> index.longest_run(Piece(tuple(higher), (0,), (0,)))
        SharedRun(notes=10, source=0)
    """

    hashes: Hashes
    bounds: np.ndarray
    """End of the steps of each piece `[pieces]`."""

    @classmethod
    def from_pieces(cls, pieces: Iterable[Piece]) -> CopyIndex:
        """Index pieces, such as the training data of a model."""
        steps = [list(voice_steps(piece)) for piece in pieces]
        sizes = [sum(len(voice) + 1 for voice in piece) for piece in steps]
        voices = [voice for piece in steps for voice in piece]
        return cls(Hashes.from_voices(voices, np.random.default_rng(1)), np.cumsum(sizes))

    def longest_run(self, piece: Piece) -> SharedRun:
        """Return the longest run of notes that a piece shares with an indexed piece."""
        steps = list(voice_steps(piece))
        query = Hashes.from_voices(steps, np.random.default_rng(2))
        starts = np.arange(len(self.hashes.sums) - 1)
        source = -1
        # A binary search over the length: each part of a shared run is shared too, so longer matches start
        # among the starts of shorter ones.
        low, high = 0, max((len(voice) for voice in steps), default=0)
        length = min(SEED_STEPS, high)
        while low < high:
            found = self._matches(query, length, starts)
            if len(found):
                low, starts = length, found
            else:
                high = length - 1
            length = (low + high + 1) // 2
        if low:
            source = int(np.searchsorted(self.bounds, starts[0], side="right"))
        return SharedRun(low + 1 if low else 0, source)

    def _matches(self, query: Hashes, length: int, starts: np.ndarray) -> np.ndarray:
        """Return the starts at which a run of this many steps is in the query too."""
        starts = starts[starts + length < len(self.hashes.sums)]
        ours = self.hashes.windows(length, starts)
        theirs = query.windows(length, np.arange(len(query.sums) - length))
        # A table of 20 bits of the hashes rules out most starts, at the cost of one lookup each.
        table = np.zeros(1 << 20, dtype=bool)
        table[theirs >> np.uint64(44)] = True
        candidates = np.flatnonzero(table[ours >> np.uint64(44)])
        return starts[candidates[np.isin(ours[candidates], theirs)]]


class Hashes(NamedTuple):
    """Prefix sums of hashed steps times powers of the base; the hash of any run is a difference of two."""

    sums: np.ndarray
    inverses: np.ndarray
    """Powers of the inverse base, which make hashes independent of the position."""

    @classmethod
    def from_voices(cls, voices: Sequence[np.ndarray], separators: np.random.Generator) -> Hashes:
        """Concatenate voices, each followed by a random number, so that no run extends into the next."""
        ends = separators.integers(2**63, size=len(voices), dtype=np.uint64)
        pairs = zip(voices, ends, strict=True)
        parts = [part for voice, end in pairs for part in (STEP_HASHES[voice], [end])]
        steps = np.concatenate(parts).astype(np.uint64) if parts else np.zeros(0, np.uint64)
        sums = np.zeros(len(steps) + 1, np.uint64)
        np.cumsum(steps * _powers(HASH_BASE, len(steps)), out=sums[1:])
        return cls(sums, _powers(pow(HASH_BASE, -1, 2**64), len(steps) + 1))

    def windows(self, length: int, starts: np.ndarray) -> np.ndarray:
        """Return the hashes of the runs of one length with these starts."""
        return np.asarray((self.sums[starts + length] - self.sums[starts]) * self.inverses[starts])


def _powers(base: int, count: int) -> np.ndarray:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)


def voice_steps(piece: Piece) -> Iterator[np.ndarray]:
    """Yield the indices of the steps from note to note: of all tracks together, and of each track."""
    notes = [(note.onset, note.pitch, note.track) for note in piece.pitched]
    onsets, pitches, tracks = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    keys = np.rint(onsets / SIXTEENTH_TICKS).astype(np.int64) * PITCHES + pitches
    used = np.unique(tracks)
    for chosen in [keys, *(keys[tracks == track] for track in used if len(used) > 1)]:
        ordered = np.unique(chosen)  # sorted; doubled notes count once
        gaps = np.minimum(np.diff(ordered // PITCHES), MAX_GAP_SIXTEENTHS)
        intervals = np.clip(np.diff(ordered % PITCHES), -MAX_INTERVAL_SEMITONES, MAX_INTERVAL_SEMITONES)
        yield gaps * INTERVALS + intervals + MAX_INTERVAL_SEMITONES


def nearest_sixteenth(onset: int) -> int:
    """Return the sixteenth nearest to an onset in ticks, rounded as in `voice_steps`."""
    return round(onset / SIXTEENTH_TICKS)


def step_index(sixteenths: int, semitones: int) -> int:
    """Return the index of a step, as in `voice_steps`."""
    interval = min(max(semitones, -MAX_INTERVAL_SEMITONES), MAX_INTERVAL_SEMITONES)
    return min(sixteenths, MAX_GAP_SIXTEENTHS) * INTERVALS + interval + MAX_INTERVAL_SEMITONES
