"""The form of a composition: whether it gets stuck, and how it ends."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from audioseq.music.generation.generate import Draft, generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import MusicModel
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import Piece
from audioseq.music.representation.tokenizer import decode

STUCK = 4
"""Bars in a row that are all alike, from which a piece counts as stuck."""
ENDING = 2
"""Bars that are composed anew where a piece does not come home."""
TRIES = 12
"""How often they are, at most."""


def resample_ending(
    model: MusicModel,
    drafts: Sequence[Draft],
    sampling: Sampling,
    step: EventStep,
    first: int = 0,
    known: Fingerprint | None = None,
) -> None:
    """Compose the last two bars anew until the last bass note is the tonic, as in nearly all real pieces.

    What is drawn so are endings of the model, given that they end there: no note is put in by force. A draft
    that does not come home in twelve tries keeps the last; one of a single bar is left as it is.

    Args:
        drafts: to be changed where they have ended elsewhere.
        step: the model's.
        first: events at the beginning that must stay: those of a primer.
        known: runs of notes that are to be avoided.
    """
    for _ in range(TRIES):
        away = [draft for draft in drafts if not ends_on_tonic(draft)]
        for draft in away:
            lines = [place for place, event in enumerate(draft.events) if event[v.STEP] == v.BAR]
            draft.conditions, draft.ticks = replace(draft.conditions, bars=len(lines)), None
            draft.events = draft.events[: max(lines[max(-ENDING, 1 - len(lines))], first)]
        if not away:
            return
        generate(model, away, sampling, step, known)


def ends_on_tonic(draft: Draft) -> bool:
    """Return whether the last bass note is the tonic, or the piece is too short to say."""
    piece = decode(draft.events, draft.conditions.programs, 120.0)
    return len(piece.meters) < 2 or piece.final_bass in (None, draft.conditions.tonic)


def is_stuck(events: Sequence[Sequence[int]]) -> bool:
    """Return whether the same bar, with notes in it, comes several times in a row."""
    bars: list[tuple[Any, ...]] = []
    for event in events:
        if event[v.STEP] == v.BAR:
            bars.append(())
        elif bars:
            bars[-1] += (tuple(event[: v.VELOCITY]),)
    run = 1
    for before, bar in pairwise(bars):
        run = run + 1 if bar and bar == before else 1
        if run >= STUCK:
            return True
    return False


def trim_to_last_bar(piece: Piece) -> Piece:
    """Return a piece whose last notes end with its last bar."""
    end = piece.starts[-1]
    notes = (note._replace(duration=min(note.duration, end - note.onset)) for note in piece.notes)
    return replace(piece, notes=tuple(notes))


def without_first_notes(piece: Piece, notes: int) -> Piece:
    """Return a piece without its first notes, from the bar on in which the next one is."""
    rest, starts = piece.notes[notes:], piece.starts
    if not notes or not rest:
        return replace(piece, notes=rest)
    bar = bisect_right(starts, rest[0].onset) - 1
    moved = tuple(note._replace(onset=note.onset - starts[bar]) for note in rest)
    return replace(piece, notes=moved, meters=piece.meters[bar:])
