"""Key signatures, and names of pitches that fit a key signature."""

from __future__ import annotations

from collections.abc import Iterable

FIFTHS = "FCGDAEB"
"""The letters in fifths; each further round adds a sharp."""
MAX_FIFTHS = 6
"""Most sharps or flats of an estimated key signature."""
_SHARPEST = {False: 8, True: 9}
"""Sharpest spelling in a major and a minor key, in fifths above the tonic of the major key of its signature.

In C major the twelve names are those from E flat to G sharp; in A minor, from B flat to D sharp.
"""


def key_fifths(name: str) -> tuple[int, bool]:
    """Return the sharps (or flats, negative) of a key, and whether it is minor.

    Args:
        name: a key of `Score.keys`, such as `Eb` or `F#m`.
    Example:
        >>> key_fifths("Eb"), key_fifths("F#m")
        ((-3, False), (3, True))
    """
    minor, tonic = name.endswith("m"), name.removesuffix("m")
    fifths = FIFTHS.index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic[1:].count("b"))
    return fifths - 3 * minor, minor


def estimate_fifths(weights: Iterable[float]) -> int:
    """Return the key signature with the fewest accidentals, as sharps, or flats if negative.

    Args:
        weights: how long, or how often, each of the twelve pitch classes sounds, from C up.
    Example:
        >>> estimate_fifths([1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0])  # the scale of F major
        -1
    """
    weighted = list(weights)

    def accidentals(fifths: int) -> float:
        diatonic = {7 * position % 12 for position in range(fifths - 1, fifths + 6)}
        return sum(weight for pitch_class, weight in enumerate(weighted) if pitch_class not in diatonic)

    return min(range(-MAX_FIFTHS, MAX_FIFTHS + 1), key=lambda fifths: (accidentals(fifths), abs(fifths)))


def spell(pitch: int, fifths: int, minor: bool = False) -> tuple[str, int, int]:
    """Return letter, alteration (-2 to 2 semitones) and octave (4 begins at middle C) of a pitch.

    Chromatic notes get the name that is nearest to the key on the line of fifths, with raised fourths, fifths
    and leading notes rather than their enharmonic equivalents.

    Args:
        pitch: MIDI pitch.
        fifths: sharps of the key signature, or flats if negative.
        minor: whether the key is minor.
    Example:
        >>> spell(66, 0), spell(70, 0), spell(68, -3, minor=True)
        (('F', 1, 4), ('B', -1, 4), ('A', -1, 4))
    """
    sharpest = fifths + _SHARPEST[minor]
    # The position on the line of fifths, 0 for C, within the twelve below the sharpest.
    position = sharpest - (sharpest - 7 * pitch) % 12
    alteration, letter = divmod(position + 1, 7)
    octave = (pitch - alteration) // 12 - 1
    return FIFTHS[letter], alteration, octave
