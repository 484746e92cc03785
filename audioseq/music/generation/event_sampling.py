"""Sample the next event of each draft of a batch, field by field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from audioseq.music.generation.active_draft import ActiveDraft
from audioseq.music.generation.chord_guidance import chord_bias
from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.limits import Limits, allowed_values
from audioseq.music.generation.sampling import Sampling, draw_rows, nll
from audioseq.music.generation.stepper import EventStep
from audioseq.music.representation.event_state import FIELD_SIZES
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY

LIKELY_STEPS = 16
"""Number of steps that are considered if some parts are silent."""


class _Row:
    """The next event of one draft, while its fields are sampled."""

    def __init__(self, active: ActiveDraft) -> None:
        self.active = active
        self.event = [-1] * len(FIELD_SIZES)
        self.nats = 0.0
        self.given = active.limits.required()
        """The event, with its relative pitch, if it is given."""

    def scores(self, step: EventStep, field: int, scores: np.ndarray, summary: np.ndarray) -> np.ndarray:
        """Return the scores of a field, given the notes of the user and the silent parts."""
        limits = self.active.limits
        if self.given is not None:
            return scores
        if limits.given is not None:
            scores = limits.given.gather(limits.state, field, self.event, scores)
        return _heard_steps(step, scores, summary, limits) if field == STEP else scores

    def bias(self, field: int) -> np.ndarray | float:
        """Return what is added to the guided scores of a field."""
        draft, limits = self.active.draft, self.active.limits
        if field == TRACK:
            return limits.part_bias()
        if field in (PITCH, DURATION) and draft.chords is not None:
            return chord_bias(draft.chords, limits.state, field, self.event)
        return 0.0

    def put(self, field: int, value: int) -> int:
        """Set a field to the sampled value, or to the given one; return it."""
        self.event[field] = value if self.given is None else self.given[field]
        if field == TRACK and self.given is None and self.active.limits.given is not None:
            self.given = self.active.limits.given.reached(self.active.state, self.event)
        return self.event[field]


def sample_events(
    step: EventStep, summary: np.ndarray, active: Sequence[ActiveDraft], sampling: Sampling
) -> list[tuple[list[int], float, bool]]:
    """Sample the next event of each draft.

    Fields are sampled one after the other, each for all drafts at once, and each conditioned on those before:
    step first; then the meter of a bar line; or track, pitch, duration and velocity of a note.

    Returns:
        of each draft: the event, its negative log-likelihood in nats, and whether it is given.
    """
    rows = [_Row(each) for each in active]

    def sample_field(field: int, rows: Sequence[_Row], summary: np.ndarray) -> np.ndarray:
        scores = step.scores(summary, field)
        heard = np.array(
            [row.scores(step, field, *each) for row, *each in zip(rows, scores, summary, strict=True)]
        )
        allowed = np.array([allowed_values(row.active.limits, field, row.event) for row in rows])
        uniforms = np.array([row.active.draft.random.random() for row in rows])
        guided = np.array([
            apply_guidance(row.active.state, field, row.event, each) + row.bias(field)
            for row, each in zip(rows, heard, strict=True)
        ])  # fmt: skip
        sampled = draw_rows(guided, allowed, sampling, uniforms)
        values = np.array([row.put(field, value) for row, value in zip(rows, sampled.tolist(), strict=True)])
        # Of the model alone, without guidance.
        judged = np.where([[row.active.limits.given is None] for row in rows], heard, scores)
        for row, nats in zip(rows, nll(judged, values).tolist(), strict=True):
            row.nats += nats
        return step.condition(summary, field, values)

    summary = sample_field(STEP, rows, summary)
    bars = [i for i, row in enumerate(rows) if row.event[STEP] == BAR]
    notes = [i for i, row in enumerate(rows) if row.event[STEP] not in (BAR, END)]
    if bars:
        sample_field(METER, [rows[i] for i in bars], summary[bars])
    if notes:
        summary = summary[notes]
        for field in (TRACK, PITCH, DURATION, VELOCITY):
            summary = sample_field(field, [rows[i] for i in notes], summary)
    for row in rows:
        if row.event[PITCH] >= 0:  # from the index of the relative pitch to the sounding pitch
            row.event[PITCH] += row.active.state.pitch_offset
    return [(row.event, row.nats, row.given is not None) for row in rows]


def _heard_steps(step: EventStep, scores: np.ndarray, summary: np.ndarray, limits: Limits) -> np.ndarray:
    """Return the scores of the steps given that a note is not in a silent part.

    By Bayes' rule, that is the probability of a step times that of the other parts after this step; where a
    given note begins, it is that of the step. It is computed for the likeliest steps; the others cannot be
    sampled.
    """
    silent = limits.silent
    if not silent.any():
        return scores
    steps = np.argsort(np.where(limits.allowed_steps(), -scores, np.inf))[:LIKELY_STEPS]
    rows = step.scores(step.condition(np.repeat(summary[None], len(steps), axis=0), STEP, steps), TRACK)
    heard = logsumexp(rows[:, ~silent], axis=1) - logsumexp(rows, axis=1)
    certain = steps >= BAR
    if limits.given is not None:
        certain |= steps == limits.given.step(limits.state)
    result = np.full_like(scores, -np.inf)
    result[steps] = scores[steps] + np.where(certain, 0.0, heard)
    return result
