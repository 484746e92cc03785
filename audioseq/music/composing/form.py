"""The form of a piece: sections by letters, such as AABA."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audioseq.errors import ConfigError
from audioseq.midi import Score
from audioseq.music.composing.candidates import PEDALLING, Job
from audioseq.music.composing.composition import Composition, describe_origin
from audioseq.music.composing.options import CompositionOptions
from audioseq.music.composing.performance import add_pedal, wants_pedal
from audioseq.music.composing.swing import swing
from audioseq.music.representation.grid import to_grid

if TYPE_CHECKING:
    from audioseq.music.composing.composer import Composer

MAX_SECTIONS = 26
"""Most sections of a form."""
SECTION_BARS = 8
"""Length of a section if the length of the piece is not given, bars."""
CADENCE_BARS = 2
"""Bars at the end of a section that are rewritten when it returns, at most half of it."""


def section_bars(form: str, options: CompositionOptions) -> int:
    """Return the number of bars of each section.

    Args:
        form: a letter for each section; equal letters are equal sections.
        options: with the length of the piece.
    Raises:
        ConfigError: the form is no such text, its length is in seconds or cannot be divided evenly, or there
            are chords.
    Example:
        >>> section_bars("AABA", CompositionOptions(bars=32)), section_bars("AB", CompositionOptions())
        (8, 8)
    """
    if not re.fullmatch(f"[A-Z]{{1,{MAX_SECTIONS}}}", form):
        raise ConfigError(f"form is {form!r}; give a letter for each section, such as AABA")
    for name in ("seconds", "chords", "pickup"):
        if getattr(options, name) is not None:
            raise ConfigError(f"a form cannot be combined with {name}; leave out one of them")
    if options.bars is None:
        return SECTION_BARS
    if options.bars % len(form):
        raise ConfigError(f"{options.bars} bars are no multiple of the {len(form)} sections of {form}")
    return options.bars // len(form)


def build(
    composer: Composer, form: str, bars: int, job: Job, options: CompositionOptions, more: Mapping[str, Any]
) -> Composition:
    """Build a piece section by section.

    The section of a new letter continues those before it. A letter that returns is a copy whose last bars are
    rewritten, so that each return leads on to what follows, and the last one ends the piece.

    Args:
        composer: composes the sections.
        form: a letter for each section.
        bars: of each section.
        job: seed and number of the piece.
        options: requested properties.
        more: further options of `Composer.compose` and `Composer.fill`.
    """
    seeds = np.random.default_rng([job.seed, job.number]).integers(2**31, size=len(form)).tolist()
    # The model reads and writes straight eighths; pedal and timing are those of the whole piece.
    wanted = replace(options, bars=bars, swing=None, pedal=False, humanise=False)
    made: list[Composition] = []
    sections: dict[str, tuple[float, float]] = {}
    for letter, seed in zip(form, seeds, strict=True):
        score = made[-1].score if made else None
        if score is None or letter not in sections:
            begin = 0.0 if score is None else float(score.bars()[-1])
            made += composer.compose(seed, options=wanted, primer=score, **more)
            sections[letter] = begin, float(made[-1].score.bars()[-1])
            # The other sections have the style and the key of the first, and go on in its tempo.
            wanted = replace(wanted, style=made[0].style, key=made[0].key, tempo=None)
        else:
            score = append(score, *sections[letter])
            last = len(score.bars()) - 1 - (score.pickup > 0)
            cadence = last - min(CADENCE_BARS, max(bars // 2, 1)) + 1, last
            made += composer.fill(
                score, cadence, seed, options=replace(wanted, bars=None, meter=None, pedal=None), **more
            )
    first, score = made[0], made[-1].score
    if options.swing is not None:
        score = swing(score, options.swing)
    if wants_pedal(options, first.style):
        score = add_pedal(score, job.random(PEDALLING))
    text = f"{describe_origin(job.seed, job.number, first.conditions, first.tempo)}, form {form}"
    return replace(
        first, score=replace(score, text=text), seed=job.seed, number=job.number,
        nats_per_event=float(np.mean([each.nats_per_event for each in made])), density=to_grid(score).density,
        humanised_from=0.0 if options.humanise else None,
        copied=any(each.copied for each in made), resampled=sum(each.resampled for each in made),
        warnings=tuple(dict.fromkeys(warning for each in made for warning in each.warnings)),
    )  # fmt: skip


def append(score: Score, begin: float, end: float) -> Score:
    """Return a score with a copy of a span of bars after its last bar; it has one tempo.

    Args:
        score: the piece.
        begin, end: bar lines, seconds.
    """
    shift = float(score.bars()[-1]) - begin
    near = 1e-6
    copies = [
        replace(note, onset=note.onset + shift, duration=min(note.duration, end - note.onset))
        for note in score.notes
        if begin - near <= note.onset < end - near
    ]
    signatures = [each for each in score.time_signatures if each[0] < end - near]
    times = np.array([each[0] for each in signatures])
    first = max(int(np.searchsorted(times, begin + near)) - 1, 0)
    changes = list(score.time_signatures)
    for seconds, *signature in signatures[first:]:
        if tuple(signature) != changes[-1][1:]:
            changes.append((max(seconds, begin) + shift, signature[0], signature[1]))
    return replace(score, notes=(*score.notes, *copies), time_signatures=tuple(changes))
