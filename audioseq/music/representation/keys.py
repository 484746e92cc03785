"""The 24 keys: which pitch classes they use, which of them fits, and how to find back to one."""

from __future__ import annotations

import numpy as np

# How often each pitch class sounds in C major and in C minor: Temperley 2007, "Music and probability",
# chapter 6, from the Kostka-Payne corpus.
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
PROFILES = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
"""Of the twelve major keys, from C up, and of the twelve minor ones `[24, 12]`."""
_CHANCES = PROFILES / PROFILES.sum(axis=1, keepdims=True)
_FINAL = 0.25
"""What it counts for a key that the last bass note is its tonic; correlations are within -1..1."""
MEMORY = 48
"""Notes after which what was heard counts only a third."""
DOUBT = 0.3
"""What a note counts as evidence: notes of one chord are not independent."""
LEAD = 0.05
"""How strongly a piece is led back: at 1, what Bayes says, songs were more diatonic than real ones."""


def best_key(sounding: np.ndarray, bass: int | None) -> tuple[int, bool]:
    """Return the tonic (0 is C) and whether the key is minor: the profile that correlates best.

    Args:
        sounding: for how long each pitch class sounds `[12]`.
        bass: pitch class of the last bass note; that it is the tonic speaks for a key.
    """
    scores = [
        np.corrcoef(sounding + 1e-9 * np.arange(12), profile)[0, 1] + _FINAL * (key % 12 == bass)
        for key, profile in enumerate(PROFILES)
    ]
    key = int(np.argmax(scores))
    return key % 12, key >= 12


class KeyTracker:
    """Tells which pitch classes lead a piece back to its key; as long as it is there, none do.

    By Bayes, the chance of a note given the key is that without it, times how much more likely the note makes
    the key. How likely each key is follows from the notes before: the later, the more they count. After Yang
    and Klein 2021, "FUDGE: controlled text generation with future discriminators".

    Args:
        tonic: pitch class.
        minor: whether the key is minor.
    Example:
        >>> compass = Compass(0, minor=False)
        >>> for pitch in (62, 66, 69, 74, 73, 69, 66, 62) * 8:  # it is in D major
        ...     compass.push(pitch)
        >>> leaning = compass.leaning()
        >>> bool(leaning[5] > 0.05 and leaning[6] < -0.05)  # F instead of F sharp
        True
    """

    def __init__(self, tonic: int, minor: bool) -> None:
        self.key = tonic + 12 * minor
        self._evidence = np.zeros(len(PROFILES))

    def push(self, pitch: int) -> None:
        """Take note of a note."""
        self._evidence *= 1 - 1 / MEMORY
        self._evidence += DOUBT * np.log(_CHANCES[:, pitch % 12])

    def logit_bias(self) -> np.ndarray:
        """Return what to add to the log-probability of each pitch class `[12]`."""
        likely = np.exp(self._evidence - self._evidence.max())
        usual = likely @ _CHANCES / likely.sum()
        leaning: np.ndarray = LEAD * np.log(_CHANCES[self.key] / usual)
        return leaning
