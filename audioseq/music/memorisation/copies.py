"""How much of a piece is copied: the longest run of notes that is in other pieces too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from audioseq.music.representation.grid import Piece
from audioseq.music.representation.vocabulary import DRUMS, PITCHES, TICKS

SIXTEENTH = TICKS // 4
SEED = 8
"""Steps of the runs that are looked for first: only the few places that have one are searched further."""
WIDEST, SLOWEST = 64, 64
"""Semitones and sixteenths; a larger step counts as this one."""
_RANDOM = np.random.default_rng(20250101)
NUMBERS = _RANDOM.integers(2**63, size=(2 * WIDEST + 1) * (SLOWEST + 1), dtype=np.uint64)
"""A random number for each step from a note to the next."""
BASE = int(_RANDOM.integers(2**62)) * 2 + 1
"""Odd, so that it has an inverse among the numbers of 64 bits."""


class SharedRun(NamedTuple):
    """A run of notes that two pieces share, whatever the key and the tempo."""

    notes: int
    source: int
    """Which of the pieces searched has it; -1 if none has any."""


@dataclass(frozen=True)
class Copies:
    """Pieces, ready to be searched.

    A piece is read as the steps from each note to the next (semitones, sixteenths), of all its tracks
    together and of each by itself, so that neither another key nor another accompaniment hides a copy. Runs
    of equal steps have equal hashes (Karp & Rabin 1987, here with 64 bits); sums of the steps from the
    beginning give that of any stretch.

    Example:
        >>> from audioseq.music.representation.grid import GridNote
        >>> tune = [GridNote(6 * n * n, 0, -60 - n * n % 7, 6, 80) for n in range(20)]
        >>> higher = [note._replace(down=note.down - 5) for note in tune[4:14]]
        >>> index = Copies.of([Piece(tuple(tune), (0,), (0,))])
        >>> index.longest_run(Piece(tuple(higher), (0,), (0,)))
        Run(notes=10, source=0)
    """

    hashes: Hashes
    bounds: np.ndarray
    """Where the steps of each piece end `[pieces]`."""

    @classmethod
    def of(cls, pieces: Iterable[Piece]) -> Copies:
        """Index pieces, such as those that a model was trained on."""
        steps = [list(voices(piece)) for piece in pieces]
        sizes = [sum(len(voice) + 1 for voice in piece) for piece in steps]
        every = [voice for piece in steps for voice in piece]
        return cls(Hashes.of(every, np.random.default_rng(1)), np.cumsum(sizes))

    def longest_run(self, piece: Piece) -> SharedRun:
        """Return the longest run of notes that the piece shares with an indexed one."""
        steps = list(voices(piece))
        asked = Hashes.of(steps, np.random.default_rng(2))
        most = max((len(voice) for voice in steps), default=0)
        places = np.arange(len(self.hashes.sums) - 1)
        low, high = 0, most
        if most > SEED:
            found = self._matches(asked, SEED, places)
            if len(found):
                low, places = SEED, found
            else:
                high = SEED - 1
        source = -1
        while low < high:
            length = (low + high + 1) // 2
            found = self._matches(asked, length, places)
            if len(found):
                low, places = length, found
            else:
                high = length - 1
        if low:
            source = int(np.searchsorted(self.bounds, places[0], side="right"))
        return SharedRun(low + 1 if low else 0, source)

    def _matches(self, asked: Hashes, length: int, places: np.ndarray) -> np.ndarray:
        """Return those of the places where a run of so many steps begins that the other has too."""
        places = places[places + length < len(self.hashes.sums)]
        ours = self.hashes.windows(length, places)
        theirs = asked.windows(length, np.arange(len(asked.sums) - length))
        # Most are ruled out by 20 of their bits, which takes a look into a table.
        table = np.zeros(1 << 20, dtype=bool)
        table[theirs >> np.uint64(44)] = True
        likely = np.flatnonzero(table[ours >> np.uint64(44)])
        return places[likely[np.isin(ours[likely], theirs)]]


class Hashes(NamedTuple):
    """Sums of steps times powers, from which the hash of any stretch follows."""

    sums: np.ndarray
    inverses: np.ndarray

    @classmethod
    def of(cls, voices: Sequence[np.ndarray], ends: np.random.Generator) -> Hashes:
        """Chain voices; each ends with a random number, so that no run goes on into the next."""
        numbers = ends.integers(2**63, size=len(voices), dtype=np.uint64)
        parts = [part for voice, end in zip(voices, numbers, strict=True) for part in (NUMBERS[voice], [end])]
        steps = np.concatenate(parts).astype(np.uint64) if parts else np.zeros(0, np.uint64)
        sums = np.zeros(len(steps) + 1, np.uint64)
        np.cumsum(steps * _powers(BASE, len(steps)), out=sums[1:])
        return cls(sums, _powers(pow(BASE, -1, 2**64), len(steps) + 1))

    def windows(self, length: int, places: np.ndarray) -> np.ndarray:
        """Return the hashes of the stretches of one length that begin at these places."""
        return np.asarray((self.sums[places + length] - self.sums[places]) * self.inverses[places])


def _powers(base: int, count: int) -> np.ndarray:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)


def voices(piece: Piece) -> Iterator[np.ndarray]:
    """Yield the steps from note to note of all tracks together, and of each."""
    notes = [
        (note.onset, note.pitch, note.track) for note in piece.notes if piece.programs[note.track] != DRUMS
    ]
    onsets, pitches, tracks = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    places = np.rint(onsets / SIXTEENTH).astype(np.int64) * PITCHES + pitches
    several = np.unique(tracks)
    for chosen in [places, *(places[tracks == track] for track in several if len(several) > 1)]:
        struck = np.unique(chosen)  # in order, what is doubled once
        times = np.minimum(np.diff(struck // PITCHES), SLOWEST)
        intervals = np.clip(np.diff(struck % PITCHES), -WIDEST, WIDEST)
        yield times * (2 * WIDEST + 1) + intervals + WIDEST


def place_of(onset: int) -> int:
    """Return the sixteenth that is nearest to an onset in ticks, as `voices` does."""
    return round(onset / SIXTEENTH)


def step_of(time: int, interval: int) -> int:
    """Return the step of so many sixteenths and semitones, as `voices` does."""
    return min(time, SLOWEST) * (2 * WIDEST + 1) + min(max(interval, -WIDEST), WIDEST) + WIDEST
