"""The sustain pedal: while it is down, notes sound on after their keys are released."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from audioseq.midi.notes import Note

PedalChange = tuple[float, int, bool]
"""Seconds, track, and whether the pedal goes down."""


def spans(pedals: Iterable[PedalChange], end: float) -> dict[int, list[tuple[float, float]]]:
    """Return from when to when the pedal of each track is down, seconds.

    Args:
        pedals: changes, in order.
        end: when a pedal that is down at last is lifted.
    Example:
        >>> spans([(0.5, 0, True), (1.0, 0, True), (2.0, 0, False), (3.0, 0, True)], end=4.0)
        {0: [(0.5, 2.0), (3.0, 4.0)]}
    """
    found: dict[int, list[tuple[float, float]]] = defaultdict(list)
    since: dict[int, float] = {}
    for seconds, track, down in pedals:
        if down:
            since.setdefault(track, seconds)
        elif track in since:
            found[track].append((since.pop(track), seconds))
    for track, seconds in since.items():
        found[track].append((seconds, max(end, seconds)))
    return dict(found)


def sustain(notes: Sequence[Note], pedals: Iterable[PedalChange]) -> list[Note]:
    """Return notes as long as they sound: until the pedal is lifted, or their pitch is played again.

    Args:
        notes: sorted by onset.
        pedals: changes, in order.
    Example:
        >>> notes = [Note(60, 80, 0.0, 0.5), Note(64, 80, 1.0, 0.5)]
        >>> [note.end for note in sustain(notes, [(0.1, 0, True), (1.2, 0, False)])]
        [1.2, 1.5]
    """
    by_track = spans(pedals, max((note.end for note in notes), default=0.0))
    following: dict[tuple[int, int, int], float] = {}
    result = []
    for note in reversed(notes):
        down = by_track.get(note.track, [])
        index = bisect_right(down, (note.end, float("inf"))) - 1
        end = max(note.end, down[index][1]) if index >= 0 and not note.drum else note.end
        key = note.track, note.program, note.pitch
        if end > note.end:
            end = max(note.end, min(end, following.get(key, end)))
            note = replace(note, duration=end - note.onset)
        following[key] = note.onset
        result.append(note)
    return result[::-1]
