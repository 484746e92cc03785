"""When a piece comes back to what was heard in it before."""

from __future__ import annotations

import numpy as np

from audioseq.music.representation.vocabulary import STYLES

PHRASE = 4
"""Bars after which it is decided anew."""
LAGS = (4, 8, 16)
"""Bars ago at which that was to which a piece comes back."""
SHARES = {"pop": 0.5, "lied": 0.5, "quartet": 0.4, "chorale": 0.05, "other": 0.4}
"""How many phrases come back, of those that can; of real pieces, so many bars are mostly as one before."""
_SHARES = [SHARES[style] for style in STYLES]
ENDING = 2
"""Bars at the end that are free."""


def bars_back(bar: int, remaining: int, style: int, before: int, random: np.random.Generator) -> int:
    """Return how many bars ago that was to which a bar comes back; 0 if it is free.

    Args:
        bar: which bar of the piece it is, from 0.
        remaining: bars after it.
        style: index into `vocabulary.STYLES`.
        before: what was returned for the bar before.
        random: where the choice comes from.
    """
    if remaining < ENDING:
        return 0
    if bar % PHRASE:
        return before
    possible = [lag for lag in LAGS if lag <= bar]
    if not possible or random.random() >= _SHARES[style]:
        return 0
    return possible[int(random.integers(len(possible)))]
