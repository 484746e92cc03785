"""Pickups: an incomplete bar before the first one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from audioseq.midi import Score


def signature_of(quarters: float, denominator: int) -> tuple[int, int]:
    """Return the time signature of a pickup.

    Args:
        quarters: length.
        denominator: that of the full bars, and the smallest of the result.
    Example:
        >>> signature_of(1, 4), signature_of(1.5, 4), signature_of(0.75, 8)
        ((1, 4), (3, 8), (3, 16))
    """
    length = Fraction(quarters) / 4
    while (length * denominator).denominator > 1:
        denominator *= 2
    return int(length * denominator), denominator


def trim_to_pickup(score: Score, pickup: float) -> Score:
    """Return a score that begins with the pickup in place of the full bar that it ends.

    Args:
        score: a piece of one tempo whose first bar is silent before the pickup.
        pickup: length, quarter notes.
    """
    _, numerator, denominator = score.time_signatures[0]
    full = 4 * numerator / denominator
    shift = float(score.seconds(full - pickup))

    def moved(seconds: float) -> float:
        return max(seconds - shift, 0.0)

    return replace(
        score,
        notes=tuple(replace(note, onset=moved(note.onset)) for note in score.notes),
        time_signatures=(
            (0.0, *signature_of(pickup, denominator)),
            (float(score.seconds(pickup)), numerator, denominator),
            *((moved(seconds), above, below) for seconds, above, below in score.time_signatures[1:]),
        ),
        keys=tuple((moved(seconds), key) for seconds, key in score.keys),
        chords=tuple((moved(seconds), chord) for seconds, chord in score.chords),
        pedals=tuple((moved(seconds), track, down) for seconds, track, down in score.pedals),
    )
