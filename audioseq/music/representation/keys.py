"""The 24 keys: pitch-class profiles, key estimation, and guidance towards a key."""

from __future__ import annotations

import numpy as np

# How often each pitch class sounds in C major and in C minor: Temperley 2007, "Music and probability",
# chapter 6, from the Kostka-Payne corpus.
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
PROFILES = np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)])
"""Frequencies of the pitch classes in the twelve major keys, from C up, then in the minor keys `[24, 12]`."""
_PROBABILITIES = PROFILES / PROFILES.sum(axis=1, keepdims=True)
KEY_SIGNATURES = (
    ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"),
    ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm"),
)
"""Names of the major and the minor keys in MIDI files, from C up, with at most six accidentals."""
FINAL_BASS_BONUS = 0.25
"""Added to the correlation (-1 to 1) of the keys whose tonic is the last bass note."""
MEMORY_NOTES = 48
"""Notes after which the evidence of a note has decayed to about a third."""
EVIDENCE_PER_NOTE = 0.3
"""Weight of the log-likelihood of a note. It is below 1 because the notes of a chord are not independent."""
GUIDANCE_STRENGTH = 0.05
"""Scale of the logit bias. At 1, the value of Bayes' rule, songs were more diatonic than real ones."""


def key_signature(tonic: int, minor: bool) -> str:
    """Return the name of a key in MIDI files, such as `Eb` or `F#m`."""
    return KEY_SIGNATURES[minor][tonic]


def key_name(tonic: int, minor: bool) -> str:
    """Return the name of a key, such as `Eb major` or `F# minor`."""
    return f"{key_signature(tonic, minor).removesuffix('m')} {'minor' if minor else 'major'}"


def best_key(sounding: np.ndarray, bass: int | None) -> tuple[int, bool]:
    """Estimate the key as the profile with the highest correlation.

    Args:
        sounding: how long each pitch class sounds, in any unit `[12]`.
        bass: pitch class of the last bass note, which favours the keys with this tonic.
    Returns:
        the tonic (0 is C), and whether the key is minor.
    """
    scores = [
        # The tiny ramp avoids a constant vector, for which no correlation exists.
        np.corrcoef(sounding + 1e-9 * np.arange(12), profile)[0, 1] + FINAL_BASS_BONUS * (key % 12 == bass)
        for key, profile in enumerate(PROFILES)
    ]
    key = int(np.argmax(scores))
    return key % 12, key >= 12


class KeyTracker:
    """Track the key of a piece, and compute a logit bias that guides it back to the intended key.

    By Bayes' rule, the probability of a note given the key is its unconditional probability times the factor
    by which the note makes the key more likely. The probabilities of the keys follow from the notes so far,
    weighted with an exponential decay. While the piece is in its key, the bias is close to zero. After Yang
    and Klein 2021, "FUDGE: controlled text generation with future discriminators".

    Args:
        tonic: pitch class of the intended key.
        minor: whether the intended key is minor.
    Example:
        >>> tracker = KeyTracker(0, minor=False)
        >>> for pitch in (62, 66, 69, 74, 73, 69, 66, 62) * 8:  # the music is in D major
        ...     tracker.push(pitch)
        >>> bias = tracker.logit_bias()
        >>> bool(bias[5] > 0.05 and bias[6] < -0.05)  # favours F over F sharp
        True
    """

    def __init__(self, tonic: int, minor: bool) -> None:
        self.key = tonic + 12 * minor
        self.strength = GUIDANCE_STRENGTH
        """Scale of the logit bias."""
        self._evidence = np.zeros(len(PROFILES))

    def push(self, pitch: int) -> None:
        """Add a note to the evidence."""
        self._evidence *= 1 - 1 / MEMORY_NOTES
        self._evidence += EVIDENCE_PER_NOTE * np.log(_PROBABILITIES[:, pitch % 12])

    def logit_bias(self) -> np.ndarray:
        """Return the values to add to the log-probabilities of the pitch classes `[12]`."""
        posterior = np.exp(self._evidence - self._evidence.max())
        expected = posterior @ _PROBABILITIES / posterior.sum()
        return np.asarray(self.strength * np.log(_PROBABILITIES[self.key] / expected))
