"""Dynamics: velocities of notes from the levels that the model generates."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import GridNote, Piece

ENGRAVED = (33, 49, 64, 80, 96, 112)
"""Velocities of the marks pp, p, mp, mf, f and ff in the training pieces, from MuseScore."""
ENGRAVED_STYLES = ("lied", "quartet")
"""Styles whose training pieces have the dynamics of a score: marks, and hairpins between them."""
HAIRPIN_QUARTERS = 2
"""Longest hairpin before a change of level, quarter notes."""
PHRASE_QUARTERS = 8
"""Length of the rise and fall of a phrase in chorales, quarter notes."""
PHRASE_VELOCITIES = 12
"""Rise of the velocity from the beginning of a phrase to its middle."""
OFF_BEAT_VELOCITIES = 3
"""How much softer the notes between the quarters of a chorale are."""


def refine(piece: Piece, style: int, random: np.random.Generator, heard: Iterable[int] = ()) -> Piece:
    """Return a piece with velocities within the levels of its notes.

    A level covers eight velocities. After a primer, they are drawn from the velocities that it has in this
    level. In songs and quartets a level is a dynamic mark, and a change of level a hairpin. The training
    chorales have constant velocity, so their phrases rise and fall. In the other styles, the velocities in
    the middle of a level are equally likely; so as many are different as in real pieces.

    Args:
        piece: with the velocities of `vocabulary.level_velocity`.
        style: index into `vocabulary.STYLES`.
        random: source of randomness.
        heard: velocities of a primer.
    """
    by_level: dict[int, list[int]] = defaultdict(list)
    for velocity in heard:
        by_level[v.velocity_level(velocity)].append(velocity)
    name = v.STYLES[style]
    if not by_level and name in ENGRAVED_STYLES:
        return _replace(piece, _engrave(piece.notes))
    if not by_level and name == "chorale":
        return _replace(piece, [_phrase(note) for note in piece.notes])
    velocities = []
    for note in piece.notes:
        level = v.velocity_level(note.velocity)
        candidates = by_level[level] or range(8 * level + 1, 8 * level + 7)
        velocities.append(int(candidates[int(random.integers(len(candidates)))]))
    return _replace(piece, velocities)


def _replace(piece: Piece, velocities: Sequence[int]) -> Piece:
    pairs = zip(piece.notes, velocities, strict=True)
    notes = tuple(note._replace(velocity=velocity) for note, velocity in pairs)
    return Piece(notes, piece.meters, piece.programs, piece.bpm)


def _engrave(notes: Sequence[GridNote]) -> list[int]:
    """Return marks, and linear changes between them in the notes of a track before a change."""
    result = [min(ENGRAVED, key=lambda mark: abs(mark - note.velocity)) for note in notes]
    result = [
        mark if v.velocity_level(mark) == v.velocity_level(note.velocity) else note.velocity
        for mark, note in zip(result, notes, strict=True)
    ]
    tracks: dict[int, list[int]] = defaultdict(list)
    for index, note in enumerate(notes):
        tracks[note.track].append(index)
    marks = result.copy()
    for indices in tracks.values():
        change = None  # the next note with another mark
        for index, following in zip(reversed(indices), [None, *reversed(indices)], strict=False):
            if following is not None and marks[following] != marks[index]:
                change = following
            if change is None:
                continue
            distance = notes[change].onset - notes[index].onset
            share = 1 - distance / (HAIRPIN_QUARTERS * v.TICKS_PER_QUARTER)
            if share > 0:
                result[index] = round(marks[index] + share * (marks[change] - marks[index]))
    return result


def _phrase(note: GridNote) -> int:
    """Return the velocity of a note of a chorale, which depends on its place in a phrase and in the beat."""
    quarters = note.onset / v.TICKS_PER_QUARTER
    rise = math.sin(math.pi * (quarters % PHRASE_QUARTERS) / PHRASE_QUARTERS)
    change = PHRASE_VELOCITIES * (rise - 0.5) - OFF_BEAT_VELOCITIES * (quarters % 1 > 0)
    return min(max(round(note.velocity + change), 1), 127)
