"""The form of a piece: how it ends, and whether it is stuck on one bar."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from audioseq.music.generation.generate import Draft, generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import MusicModel
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.grid import Piece
from audioseq.music.representation.tokenizer import decode

STUCK_BARS = 4
"""Number of equal consecutive bars from which a piece counts as stuck."""
ENDING_BARS = 2
"""Number of last bars that are resampled if a piece does not end on the tonic."""
MAX_ATTEMPTS = 12
"""How often an ending is resampled at most."""


def resample_ending(
    model: MusicModel,
    drafts: Sequence[Draft],
    sampling: Sampling,
    step: EventStep,
    first: int = 0,
    training_runs: Fingerprint | None = None,
) -> None:
    """Resample the last two bars until the last bass note is the tonic, as in nearly all real pieces.

    This is rejection sampling: the endings follow the distribution of the model, given that they end on the
    tonic. A draft without such an ending after twelve attempts keeps the last one. A draft of one bar is left
    unchanged.

    Args:
        drafts: drafts to change in place.
        step: of the model.
        first: number of events at the beginning that are kept: those of a primer.
        training_runs: runs of notes to avoid.
    """
    for _ in range(MAX_ATTEMPTS):
        rejected = [draft for draft in drafts if not ends_on_tonic(draft)]
        for draft in rejected:
            bars = [index for index, event in enumerate(draft.events) if event[v.STEP] == v.BAR]
            # The length is now known in bars; a target in ticks could change it.
            draft.conditions, draft.target_ticks = replace(draft.conditions, bars=len(bars)), None
            draft.events = draft.events[: max(bars[max(-ENDING_BARS, 1 - len(bars))], first)]
        if not rejected:
            return
        generate(model, rejected, sampling, step, training_runs)


def ends_on_tonic(draft: Draft) -> bool:
    """Return whether the last bass note is the tonic; true for one bar, and without pitched notes."""
    piece = decode(draft.events, draft.conditions.programs, 120.0)
    return len(piece.meters) < 2 or piece.final_bass in (None, draft.conditions.tonic)


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


def without_first_notes(piece: Piece, notes: int) -> Piece:
    """Return a piece without its first notes; it starts with the bar of the first remaining note."""
    rest, starts = piece.notes[notes:], piece.starts
    if not notes or not rest:
        return replace(piece, notes=rest)
    bar = bisect_right(starts, rest[0].onset) - 1
    moved = tuple(note._replace(onset=note.onset - starts[bar]) for note in rest)
    return replace(piece, notes=moved, meters=piece.meters[bar:])
