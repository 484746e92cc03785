"""The form of a piece: how it ends, and whether it is stuck on one bar."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from audioseq.music.generation.draft import Draft
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.cadence import final_chord, has_cadence, is_tonic_triad
from audioseq.music.representation.grid import Piece
from audioseq.music.representation.tokenizer import decode

STUCK_BARS = 4
"""Number of equal consecutive bars from which a piece counts as stuck."""
ENDING_BARS = 2
"""Number of last bars that are sampled again if a piece does not end on the tonic."""
MAX_ATTEMPTS = 12
"""How often an ending is sampled, at most."""
BIAS_PER_ATTEMPT_NATS = 0.75
"""Added to the penalty of pitches outside the cadence with each further attempt."""
TRIAD_VOICES = 3
"""Number of voices from which a triad can be expected."""


def has_ending(draft: Draft) -> bool:
    """Return whether a piece closes with a cadence and the tonic triad in root position.

    Fewer than three single voices need only end on the tonic. A piece of one bar, or without pitched notes,
    has every ending.
    """
    piece = decode(draft.events, draft.conditions.programs, 120.0)
    tonic, chord = draft.conditions.tonic, [note.pitch for note in final_chord(piece)]
    if len(piece.meters) < 2 or not chord:
        return True
    parts = [part for part in draft.parts if not part.silent]
    if len(parts) < TRIAD_VOICES and all(part.most == 1 for part in parts):
        return min(chord) % 12 == tonic
    return is_tonic_triad(chord, tonic) and has_cadence(piece, tonic)


def is_stuck(events: Sequence[Sequence[int]]) -> bool:
    """Return whether a bar with notes occurs `STUCK_BARS` times in a row."""
    bars: list[tuple[Any, ...]] = []
    for event in events:
        if event[v.STEP] == v.BAR:
            bars.append(())
        elif bars:
            bars[-1] += (tuple(event[: v.VELOCITY]),)
    return any(bar and len(list(run)) >= STUCK_BARS for bar, run in groupby(bars))


def trim_to_last_bar(piece: Piece) -> Piece:
    """Return a piece in which no note is longer than the last bar allows."""
    end = piece.starts[-1]
    notes = (note._replace(duration=min(note.duration, end - note.onset)) for note in piece.notes)
    return replace(piece, notes=tuple(notes))


def release_together(piece: Piece) -> Piece:
    """Return a piece in which the notes of the last chord end together."""
    last = set(final_chord(piece))
    end = max((note.end for note in last), default=0)
    notes = (n._replace(duration=end - n.onset) if n in last else n for n in piece.notes)
    return replace(piece, notes=tuple(notes))


def end_at_next(piece: Piece, tracks: Container[int]) -> Piece:
    """Return a piece in which each note of some tracks ends at the next note of its track, or before."""
    following: dict[int, int] = {}
    notes = []
    for note in reversed(piece.notes):
        if note.track in tracks:
            end = following.get(note.track, note.end)
            following[note.track] = note.onset
            note = note._replace(duration=min(note.duration, end - note.onset))
        notes.append(note)
    return replace(piece, notes=tuple(reversed(notes)))
