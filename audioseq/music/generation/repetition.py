"""Plan repetition: which earlier bar each bar of a piece repeats."""

from __future__ import annotations

from numpy.random import Generator

from audioseq.music.representation.vocabulary import STYLES

PHRASE_BARS = 4
"""The lag is sampled at the start of each phrase of this length."""
LAG_BARS = (4, 8, 16)
"""How many bars ago the repeated bar can be."""
LAG_WEIGHTS = (1, 2, 2)
"""How often each of these lags is chosen: phrases return rather after some time than at once."""
REPETITION_PROBABILITIES = {"pop": 0.3, "lied": 0.08, "quartet": 0.08, "chorale": 0.05, "other": 0.3}
"""Share of the phrases that repeat an earlier one, if any exists: such that bars are as similar to those 4, 8
and 16 bars before as in real pieces. The model repeats some by itself."""
FREE_ENDING_BARS = 2
"""Bars at the end that repeat none."""


def sample_repeat_lag(bar: int, remaining: int, style: int, previous: int, random: Generator) -> int:
    """Return how many bars ago the bar is that a bar repeats; 0 if it repeats none.

    Args:
        bar: index of the bar, from 0.
        remaining: number of bars after it.
        style: index into `vocabulary.STYLES`.
        previous: result for the bar before.
        random: source of randomness.
    """
    if remaining < FREE_ENDING_BARS:
        return 0
    if bar % PHRASE_BARS:
        return previous
    possible = [
        lag for lag, weight in zip(LAG_BARS, LAG_WEIGHTS, strict=True) for _ in range(weight) if lag <= bar
    ]
    if not possible or random.random() >= REPETITION_PROBABILITIES[STYLES[style]]:
        return 0
    return possible[int(random.integers(len(possible)))]
