"""What the rules of part-writing say of voices, counted and forbidden by one function."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from audioseq.music.harmony.voices import REST

FIFTH, OCTAVE = 7, 0
"""Semitones, octaves aside."""


@dataclass(frozen=True)
class RuleCounts:
    """What was counted in pieces.

    Args:
        chords: moments at which a voice moves, and the beginning of each piece.
        fifths: pairs of voices that move in parallel fifths.
        octaves: the same in octaves or unisons.
        crossings: chords in which a voice is above the one that should be above it.
    """

    chords: int = 0
    fifths: int = 0
    octaves: int = 0
    crossings: int = 0

    def __add__(self, other: RuleCounts) -> RuleCounts:
        return RuleCounts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def per_100(self) -> dict[str, float]:
        """Return how many there are in a hundred chords."""
        chords = max(self.chords, 1)
        found = {name: 100 * count / chords for name, count in vars(self).items() if name != "chords"}
        return found | {"parallels": 100 * (self.fifths + self.octaves) / chords}


def is_parallel(
    interval: int, upper_before: np.ndarray, lower_before: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """Tell where two voices move in the same direction from one fifth, or octave, to another.

    Args:
        interval: `FIFTH` or `OCTAVE`; compound ones count too.
        upper_before, lower_before, upper, lower: pitches of two voices in two chords; they broadcast.
    Returns:
        bool; False where a voice rests or stays.
    """
    sounding = np.minimum(np.minimum(upper_before, lower_before), np.minimum(upper, lower)) != REST
    together = (upper - upper_before) * (lower - lower_before) > 0
    before, after = (upper_before - lower_before) % 12, (upper - lower) % 12
    found: np.ndarray = sounding & together & (before == interval) & (after == interval)
    return found


def count(frames: np.ndarray) -> RuleCounts:
    """Count in one piece.

    Args:
        frames: pitches of the voices from the top down, `REST` where one is silent, `[T, V]`.
    Example:
        >>> count(np.array([[67, 60], [67, 60], [69, 62]]))  # G over C, then A over D
        Counts(chords=2, fifths=1, octaves=0, crossings=0)
    """
    moved = np.ones(len(frames), bool)
    moved[1:] = (frames[1:] != frames[:-1]).any(axis=1)
    chords = frames[moved]
    before, after = chords[:-1].T, chords[1:].T
    found = {
        interval: sum(
            int(is_parallel(interval, before[high], before[low], after[high], after[low]).sum())
            for high, low in combinations(range(frames.shape[1]), 2)
        )
        for interval in (FIFTH, OCTAVE)
    }
    crossed = (chords[:, :-1] < chords[:, 1:]) & (chords[:, :-1] != REST)
    return RuleCounts(len(chords), found[FIFTH], found[OCTAVE], int(crossed.any(axis=1).sum()))
