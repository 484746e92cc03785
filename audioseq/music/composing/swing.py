"""Swing: eighths off the beat come late."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from audioseq.midi import Score

SWUNG_DENOMINATORS = (2, 4)
"""Denominators of the meters whose quarters swing; beats of 6/8 have three eighths already."""
NEAR_BEATS = 1e-6


def swing(score: Score, percent: float, begin: float = 0.0) -> Score:
    """Return a score whose quarters are divided unevenly.

    The time within each quarter is stretched in its first half and shortened in its second, so that shorter
    notes swing along, and notes that touched still do.

    Args:
        score: the piece.
        percent: share of the first of two eighths in their quarter: 50 is straight, 67 the swing of triplets.
        begin: notes before this time are unchanged, seconds.
    Example:
        >>> from audioseq.midi import Note
        >>> notes = tuple(Note(60, 80, n / 4, 0.25) for n in range(4))
        >>> [round(note.onset, 2) for note in swing(Score(notes), 60.0).notes]
        [0.0, 0.3, 0.5, 0.8]
    """
    lines = np.asarray(score.beats(score.bars()), np.float64)
    changes = np.asarray(score.beats(np.array([each[0] for each in score.time_signatures])), np.float64)
    meters = np.searchsorted(changes, lines + NEAR_BEATS, side="right") - 1
    swings = np.array([each[2] in SWUNG_DENOMINATORS for each in score.time_signatures])[
        np.maximum(meters, 0)
    ]

    def warp(seconds: np.ndarray) -> np.ndarray:
        beats = np.asarray(score.beats(seconds), np.float64)
        bars = np.clip(np.searchsorted(lines, beats + NEAR_BEATS, side="right") - 1, 0, len(lines) - 1)
        quarters = np.floor(beats - lines[bars] + NEAR_BEATS)
        rest = beats - lines[bars] - quarters
        late = np.interp(rest, (0.0, 0.5, 1.0), (0.0, percent / 100, 1.0))
        return np.asarray(score.seconds(np.where(swings[bars], lines[bars] + quarters + late, beats)))

    spans = warp(np.array([(note.onset, note.end) for note in score.notes]).reshape(-1, 2)).tolist()
    notes = tuple(
        note if note.onset < begin - NEAR_BEATS else replace(note, onset=onset, duration=end - onset)
        for note, (onset, end) in zip(score.notes, spans, strict=True)
    )
    return replace(score, notes=notes)
