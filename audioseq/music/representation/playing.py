"""What players can play: the ranges of instruments, and the chords of two hands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from audioseq.midi.instruments import INSTRUMENTS, PIANOS
from audioseq.music.representation.vocabulary import DRUMS, PITCHES

HAND_SPAN = 16
"""Widest interval that a hand plays at once, semitones: a major tenth."""
HAND_NOTES = 5
"""Most notes that a hand plays at once."""


def instrument_range(program: int) -> tuple[int, int]:
    """Return the lowest and the highest pitch of a program; drums have all pitches."""
    return (0, PITCHES - 1) if program == DRUMS else INSTRUMENTS[program][1:]


def is_piano(program: int) -> bool:
    """Whether a program is played with two hands on a keyboard like the piano's."""
    return program in PIANOS


def is_playable(chord: Iterable[int]) -> bool:
    """Return whether two hands can play the pitches of a chord.

    Example:
        >>> is_playable([36, 48, 60, 64, 67, 76]), is_playable([36, 55, 60, 79])
        (True, False)
    """
    pitches = sorted(chord)
    return not pitches or any(True for _ in _hands(pitches))


def addable_pitches(chord: Sequence[int]) -> np.ndarray:
    """Return which pitches two hands can play together with a chord `[PITCHES]` bool.

    Args:
        chord: pitches that two hands can play; if they cannot, no pitch can be added.
    """
    if not chord:
        return np.ones(PITCHES, bool)
    allowed = np.zeros(PITCHES, bool)
    pitches = sorted(chord)
    for hands in _hands(pitches):
        for hand in hands:
            if not hand:
                allowed[:] = True
            elif len(hand) < HAND_NOTES:
                allowed[max(hand[-1] - HAND_SPAN, 0) : hand[0] + HAND_SPAN + 1] = True
    allowed[pitches] = False
    return allowed


def _hands(pitches: Sequence[int]) -> Iterable[tuple[Sequence[int], Sequence[int]]]:
    """Yield the ways in which two hands can share the ascending pitches of a chord."""
    for split in range(len(pitches) + 1):
        hands = pitches[:split], pitches[split:]
        if all(not hand or (len(hand) <= HAND_NOTES and hand[-1] - hand[0] <= HAND_SPAN) for hand in hands):
            yield hands
