"""Which track of a score is its melody."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from audioseq.errors import DataError
from audioseq.midi import Note, Score

MELODY_TRACK_NAME = re.compile(r"melod|sopran|cantus|vocal|voice|lead", re.IGNORECASE)


def find_melody(score: Score, warnings: list[str]) -> list[Note]:
    """Return the notes of the track named as a melody, else of the highest track; drums are no melody.

    Args:
        score: the piece.
        warnings: a line is added if other tracks are left out.
    Raises:
        DataError: the score has only drums.
    """
    tracks: dict[int, list[Note]] = defaultdict(list)
    for note in score.notes:
        if not note.drum:
            tracks[note.track].append(note)
    if not tracks:
        raise DataError("has no melody, only drums; give a file with a melody")
    names = {track: score.names[track] if track < len(score.names) else "" for track in tracks}
    named = [track for track in tracks if MELODY_TRACK_NAME.search(names[track])] or list(tracks)
    best = max(named, key=lambda track: float(np.mean([note.pitch for note in tracks[track]])))
    if len(tracks) > 1:
        track = f"track {best + 1}" + (f" ({names[best]})" if names[best] else "")
        warnings.append(f"{track} is used as the melody; other tracks are ignored: {len(tracks) - 1}")
    return tracks[best]
