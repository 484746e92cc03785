"""How pieces end: the final chord, and the cadence before it."""

from __future__ import annotations

from collections.abc import Iterable

from audioseq.music.representation.grid import GridNote, Piece

CADENCE_BARS = 2
"""The cadence is looked for in this many bars before the final chord."""
DOMINANT, SUBDOMINANT, LEADING_TONE, SUPERTONIC = 7, 5, 11, 2
"""Semitones above the tonic."""


def is_tonic_triad(pitches: Iterable[int], tonic: int) -> bool:
    """Return whether a chord is the tonic triad, major or minor, in root position; its fifth may be missing.

    Example:
        >>> is_tonic_triad([48, 64, 67], 0), is_tonic_triad([48, 63], 0), is_tonic_triad([52, 60, 67], 0)
        (True, True, False)
    """
    chord = sorted(pitches)
    degrees = {(pitch - tonic) % 12 for pitch in chord}
    return bool(chord) and chord[0] % 12 == tonic and degrees in _TRIADS


_TRIADS = [{0, third, *fifth} for third in (3, 4) for fifth in ((), (7,))]


def final_chord(piece: Piece) -> list[GridNote]:
    """Return the pitched notes that sound at the last onset."""
    last = max((note.onset for note in piece.pitched), default=0)
    return [note for note in piece.pitched if note.end > last]


def has_cadence(piece: Piece, tonic: int) -> bool:
    """Return whether a dominant or subdominant harmony precedes the final tonic harmony.

    That is a chord in the last bars that is not part of the tonic triad, over the dominant, the subdominant,
    the leading tone or the supertonic; or the bass on the dominant.
    """
    last = max((note.onset for note in piece.pitched), default=0)
    first = piece.starts[max(len(piece.meters) - CADENCE_BARS - 1, 0)]
    onsets = sorted({note.onset for note in piece.pitched if first <= note.onset < last})
    for onset in onsets:
        sounding = [note.pitch for note in piece.pitched if note.onset <= onset < note.end]
        bass = (min(sounding) - tonic) % 12
        degrees = {(pitch - tonic) % 12 for pitch in sounding}
        foreign = degrees - {0, 3, 4, 7}
        if foreign and bass in (DOMINANT, SUBDOMINANT, LEADING_TONE, SUPERTONIC):
            return True
    return False
