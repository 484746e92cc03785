"""Form and playability of pieces: endings, entries, ranges of instruments, chords of two hands, parallels."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audioseq.music.representation.cadence import final_chord, has_cadence, is_tonic_triad
from audioseq.music.representation.grid import Piece
from audioseq.music.representation.part_writing import REST, RuleCounts, count_violations
from audioseq.music.representation.playing import instrument_range, is_piano, is_playable
from audioseq.music.representation.vocabulary import TICKS_PER_QUARTER

SIXTEENTH = TICKS_PER_QUARTER // 4
VOICES = 4
"""Number of tracks of pieces whose parallels are counted."""


@dataclass(frozen=True)
class Form:
    """What can be right or wrong in one piece."""

    tonic_triad: bool
    """Whether the last chord is the tonic triad in root position."""
    cadence: bool
    """Whether a dominant or subdominant harmony precedes it."""
    entry: int | None
    """Bar, from 0, of the first note of the first track; None if it has none."""
    outside: float
    """Share of the notes outside the range of their instruments."""
    wide_chords: float
    """Share of the onsets of pianos that two hands cannot play."""
    parallels: RuleCounts
    """Of a piece in four single voices; no chords in others."""


def examine(piece: Piece, key: tuple[int, bool], ranges: Sequence[tuple[int, int]] = ()) -> Form:
    """Examine a piece.

    Args:
        piece: from its beginning to its end.
        key: tonic, and whether it is minor.
        ranges: lowest and highest pitch of each track; by default those of the instruments.
    """
    tonic, _ = key
    limits = ranges or [instrument_range(program) for program in piece.programs]
    outside = [not limits[note.track][0] <= note.pitch <= limits[note.track][1] for note in piece.notes]
    chords: dict[int, set[int]] = defaultdict(set)
    for note in piece.pitched:
        if is_piano(piece.programs[note.track]):
            chords[note.onset].add(note.pitch)
    first = next((note.onset for note in piece.notes if note.track == 0), None)
    return Form(
        is_tonic_triad([note.pitch for note in final_chord(piece)], tonic),
        has_cadence(piece, tonic),
        None if first is None else bisect_right(piece.starts, first) - 1,
        float(np.mean(outside)) if outside else 0.0,
        float(np.mean([not is_playable(chord) for chord in chords.values()])) if chords else 0.0,
        count_violations(_frames(piece)) if len(piece.programs) == VOICES else RuleCounts(),
    )


def summarise(forms: Sequence[Form], entry_bars: int) -> dict[str, float]:
    """Return the shares of pieces, the means, and the parallels per hundred chords.

    Args:
        forms: of at least one piece.
        entry_bars: bars within which the first track should enter.
    """
    counts = sum((form.parallels for form in forms), RuleCounts())
    entered = [form.entry is not None and form.entry < entry_bars for form in forms]
    result = {
        "tonic_triad": float(np.mean([form.tonic_triad for form in forms])),
        "cadence": float(np.mean([form.cadence for form in forms])),
        "entered": float(np.mean(entered)),
        "outside": float(np.mean([form.outside for form in forms])),
        "pieces_with_notes_outside": float(np.mean([form.outside > 0 for form in forms])),
        "wide_chords": float(np.mean([form.wide_chords for form in forms])),
    }
    return result | (counts.per_100() if counts.chords else {})


def _frames(piece: Piece) -> np.ndarray:
    """Return the pitch of each track in each sixteenth `[T, V]`; the lowest note of a chord counts."""
    frames = np.full((-(-piece.starts[-1] // SIXTEENTH), len(piece.programs)), REST)
    for note in piece.notes:
        start = round(note.onset / SIXTEENTH)
        frames[start:, note.track] = REST
        frames[start : max(round(note.end / SIXTEENTH), start + 1), note.track] = note.pitch
    return frames
