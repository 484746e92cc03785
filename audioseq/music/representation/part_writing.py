"""Four voices: their ranges, and the rules of part-writing: parallel fifths and octaves, and crossings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

VOICES = ("soprano", "alto", "tenor", "bass")
LOWEST_PITCH = (60, 52, 46, 36)
"""Lowest MIDI pitch of each voice in the training chorales."""
HIGHEST_PITCH = (81, 74, 69, 66)
"""Highest MIDI pitch of each voice."""
REST = -1
"""Value of a rest in place of a pitch."""
FIFTH, OCTAVE = 7, 0
"""Intervals in semitones, modulo the octave."""


@dataclass(frozen=True)
class RuleCounts:
    """Counts of rule violations in pieces.

    Args:
        chords: sixteenths at which a voice moves, and the beginning of each piece.
        fifths: parallel fifths of pairs of voices.
        octaves: parallel octaves or unisons of pairs of voices.
        crossings: chords in which a voice is above the next higher voice.
    """

    chords: int = 0
    fifths: int = 0
    octaves: int = 0
    crossings: int = 0

    def __add__(self, other: RuleCounts) -> RuleCounts:
        return RuleCounts(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def per_100(self) -> dict[str, float]:
        """Return the counts per hundred chords."""
        chords = max(self.chords, 1)
        rates = {name: 100 * count / chords for name, count in vars(self).items() if name != "chords"}
        return rates | {"parallels": 100 * (self.fifths + self.octaves) / chords}


def is_parallel(
    interval: int, upper_before: np.ndarray, lower_before: np.ndarray, upper: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """Detect where two voices move in the same direction from one fifth, or octave, to another.

    Args:
        interval: `FIFTH` or `OCTAVE`; compound intervals count too.
        upper_before, lower_before, upper, lower: pitches of two voices in two chords; they broadcast.
    Returns:
        bool; False where a voice rests or does not move.
    """
    sounding = np.minimum(np.minimum(upper_before, lower_before), np.minimum(upper, lower)) != REST
    same_direction = (upper - upper_before) * (lower - lower_before) > 0
    before, after = (upper_before - lower_before) % 12, (upper - lower) % 12
    return np.asarray(sounding & same_direction & (before == interval) & (after == interval))


def count_violations(frames: np.ndarray) -> RuleCounts:
    """Count the chords and the rule violations of a piece.

    Args:
        frames: pitches of the voices from the highest to the lowest, `REST` where one is silent, `[T, V]`.
    Example:
        >>> count_violations(np.array([[67, 60], [67, 60], [69, 62]]))  # G over C, then A over D
        RuleCounts(chords=2, fifths=1, octaves=0, crossings=0)
    """
    moved = np.ones(len(frames), bool)
    moved[1:] = (frames[1:] != frames[:-1]).any(axis=1)
    chords = frames[moved]
    high, low = np.triu_indices(frames.shape[1], 1)  # each pair of voices
    pairs = chords[:-1, high], chords[:-1, low], chords[1:, high], chords[1:, low]
    fifths, octaves = (int(is_parallel(interval, *pairs).sum()) for interval in (FIFTH, OCTAVE))
    crossed = (chords[:, :-1] < chords[:, 1:]) & (chords[:, :-1] != REST)
    return RuleCounts(len(chords), fifths, octaves, int(crossed.any(axis=1).sum()))
