"""The conditions of new pieces, chosen from those of the training pieces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audioseq.errors import ConfigError
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import choose_key
from audioseq.music.representation.event_state import Conditions

DRAWN_CONDITIONS = 4
"""Number of training pieces from which the conditions are chosen."""

TrainingConditions = Mapping[str, Sequence[Conditions]]
"""The conditions of training pieces, by style."""


def read_conditions(stored: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[Conditions]]:
    """Return the conditions that a model file has, by style; ValueError or others if they are invalid."""
    found = {
        style: [Conditions(**{**row, "programs": tuple(row["programs"])}) for row in rows]
        for style, rows in stored.items()
    }
    valid = [
        style in v.STYLES and rows and all(row.is_valid() for row in rows) for style, rows in found.items()
    ]
    if not valid or not all(valid):
        raise ValueError("the conditions are invalid")
    return found


def check_style(style: str | None, known: TrainingConditions) -> None:
    """Refuse a style that a model does not have.

    Raises:
        ConfigError: the model does not have it; the message names those that it has.
    """
    if style not in (None, *known):
        raise ConfigError(f"style is {style!r}; this model has only {', '.join(sorted(known))}")


def usual_programs(known: TrainingConditions, style: str | None = None) -> dict[str, tuple[int, ...]]:
    """Return the most frequent programs of each style, or of one style alone."""
    return {
        name: Counter(row.programs for row in rows).most_common(1)[0][0]
        for name, rows in known.items()
        if style in (None, name)
    }


def sample_conditions(
    known: TrainingConditions, options: CompositionOptions, random: np.random.Generator
) -> tuple[Conditions, float]:
    """Return the conditions of a piece, and its exact tempo in quarter notes per minute.

    All open options come from one training piece, so that they fit each other. Of four pieces, that with the
    second smallest number of notes per second is taken, so that extremes are rare.
    """
    check_style(options.style, known)
    styles = sorted(known)
    style = options.style or styles[int(random.integers(len(styles)))]
    rows = known[style]
    drawn = [rows[int(random.integers(len(rows)))] for _ in range(DRAWN_CONDITIONS)]
    row = sorted(drawn, key=_notes_per_second)[(DRAWN_CONDITIONS - 1) // 2]
    if options.key is not None:
        tonic, minor = v.parse_key(options.key)
        row = replace(row, tonic=tonic, minor=minor)
    elif options.chords is not None:
        tonic, minor = choose_key(options.chords, (row.tonic, row.minor))
        row = replace(row, tonic=tonic, minor=minor)
    if options.density is not None:
        row = replace(row, density=v.density_class(options.density))
    bpm = options.tempo or v.class_tempo(row.tempo)
    return replace(row, style=v.STYLES.index(style), tempo=v.tempo_class(bpm)), float(bpm)


def _notes_per_second(row: Conditions) -> float:
    """Return a binary logarithm of the notes per second: that of notes per quarter, and that of quarters."""
    return row.density / 4 + row.tempo / 8
