"""Generate pieces with a model: a batch of drafts, one event each at a time, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import logsumexp

from audioseq.music.generation.chord_guidance import chord_bias, may_repeat
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.endings import BIAS_PER_ATTEMPT_NATS, ENDING_BARS, has_ending
from audioseq.music.generation.endings import MAX_ATTEMPTS as MAX_ENDINGS
from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.limits import Limits, allowed_values
from audioseq.music.generation.repetition import sample_repeat_lag
from audioseq.music.generation.sampling import Sampling, draw_rows, nll
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.detector import CopyDetector
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import FIELD_SIZES, MusicModel
from audioseq.music.representation.event_state import EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import States
from audioseq.nn.step import to_array_states
from audioseq.runtime.step import ArrayState

PRIMER_CHUNK_EVENTS = 512
"""Events of a primer in one forward pass."""
MAX_ATTEMPTS = 20
"""How often an event that completes a run of the training data is sampled, at most."""
TEMPERATURE_STEP = 0.3
"""Added to the temperature with each further attempt."""
LIKELY_STEPS = 16
"""Number of steps that are considered if some parts are silent."""


class _ActiveDraft:
    """A draft that has not ended, with its states, and those at the bar line from which its ending begins."""

    def __init__(self, draft: Draft, runs: Fingerprint | None) -> None:
        self.draft = draft
        self.limits = Limits(draft)
        self.detector = None if runs is None else CopyDetector(runs, draft.conditions.programs)
        self._attempts = 1
        self._saved: _SavedDraft | None = None

    @property
    def state(self) -> EventState:
        """The state of the piece so far."""
        return self.limits.state

    def detect(self, event: Sequence[int]) -> CopyDetector | None:
        """Return the copy detector after an event; bar lines and the end leave it unchanged."""
        if self.detector is None or event[PITCH] < 0:
            return self.detector
        return self.detector.with_note(self.state.onset(event[STEP]), event[TRACK], event[PITCH])

    def push(self, event: Sequence[int], detector: CopyDetector | None) -> None:
        """Advance the states by an event."""
        self.limits.push(event)
        self.detector = detector

    @property
    def begins_ending(self) -> bool:
        """Whether the last event is the first bar line of an ending that can be sampled again."""
        at_bar_line = self.draft.events[-1][STEP] == BAR
        return at_bar_line and self.draft.ending and not self._saved and self.state.remaining < ENDING_BARS

    def save(self, rows: list[ArrayState]) -> None:
        """Save the states, given those of the recurrent layers."""
        draft = self.draft
        counts = draft.nats, draft.sampled, draft.new_nats, draft.new
        self._saved = _SavedDraft(self.limits.copy(), self.detector, rows, len(draft.events), counts)

    def retry(self) -> list[ArrayState] | None:
        """Return to the saved states if the ending can be better; return those of the recurrent layers."""
        draft, saved = self.draft, self._saved
        if saved is None or self._attempts >= MAX_ENDINGS or has_ending(draft):
            return None
        self.limits, self.detector = saved.limits.copy(), saved.detector
        self.state.ending_bias = BIAS_PER_ATTEMPT_NATS * self._attempts
        self._attempts += 1
        del draft.events[saved.events :]
        draft.nats, draft.sampled, draft.new_nats, draft.new = saved.counts
        return saved.rows


class _SavedDraft(NamedTuple):
    limits: Limits
    detector: CopyDetector | None
    rows: list[ArrayState]
    events: int
    counts: tuple[float, int, float, int]


@torch.inference_mode()
def generate(
    model: MusicModel,
    drafts: Sequence[Draft],
    sampling: Sampling,
    step: EventStep | None = None,
    training_runs: Fingerprint | None = None,
    check: Callable[[], object] | None = None,
) -> None:
    """Continue drafts to their end, as one batch. Each depends on its own random generator alone.

    The model reads primers on its device. Events are then generated on the CPU by `EventStep`, which carries
    the state of the recurrent layers, so the cost of an event does not grow with the piece.

    Args:
        step: of the model, to reuse it in several calls; created if not given.
        training_runs: runs of notes to avoid: a note that completes one is resampled.
        check: called before each event; an error that it raises stops the generation.
    """
    step = step or EventStep(model)
    active = [_ActiveDraft(draft, training_runs) for draft in drafts]
    parts = [_read_primer(model, step, each) for each in active]
    states = [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
    with np.errstate(all="ignore"):  # a model with weights that are NaN generates music too
        while active:
            if check is not None:
                check()
            features = np.array([each.state.features() for each in active])
            summary, states = step(features, states)
            _add_events(step, summary, active, sampling)
            for i, each in enumerate(active):
                if each.state.ended:
                    _put_rows(states, i, each.retry())
                elif each.begins_ending:
                    each.save([tuple(part[i].copy() for part in layer) for layer in states])
            kept = [i for i, each in enumerate(active) if not each.state.ended]
            if len(kept) < len(active):
                active = [active[i] for i in kept]
                states = [tuple(part[kept] for part in layer) for layer in states]


def _put_rows(states: list[ArrayState], index: int, rows: list[ArrayState] | None) -> None:
    """Replace the states of one draft of a batch."""
    for layer, row in zip(states, rows or (), strict=False):
        for part, values in zip(layer, row, strict=True):
            part[index] = values


def _add_events(step: EventStep, summary: np.ndarray, active: list[_ActiveDraft], sampling: Sampling) -> None:
    """Sample and append the next event of each draft.

    An event that completes a run of the training data is sampled again, each time at a higher temperature, as
    the model may be certain of the copy. The last attempt is accepted: the piece then counts as copied.
    """
    rows, hotter = list(range(len(active))), sampling
    for attempt in range(MAX_ATTEMPTS):
        rejected = []
        samples = _sample_events(step, summary[rows], [active[row] for row in rows], hotter)
        for row, (event, nats) in zip(rows, samples, strict=True):
            each = active[row]
            detector = each.detect(event)
            # An event without a note returns the same detector, whose result concerns an earlier note.
            is_copy = detector is not None and detector is not each.detector and detector.completes_run
            if is_copy and attempt < MAX_ATTEMPTS - 1:
                rejected.append(row)
                continue
            draft, repeats = each.draft, each.state.repeats(event)
            each.push(event, detector)
            draft.events.append(event)
            draft.sampled += 1
            draft.nats += nats
            if not repeats:
                draft.new += 1
                draft.new_nats += nats
            draft.resampled += attempt
            if event[STEP] == BAR:
                begin_bar(each.limits, draft)
        if not rejected:
            return
        rows = rejected
        hotter = replace(sampling, temperature=sampling.temperature + (attempt + 1) * TEMPERATURE_STEP)


def _sample_events(
    step: EventStep, summary: np.ndarray, active: Sequence[_ActiveDraft], sampling: Sampling
) -> list[tuple[list[int], float]]:
    """Sample the next event of each draft; also return its negative log-likelihood, in nats.

    Fields are sampled one after the other, each for all drafts at once, and each conditioned on those before:
    step first; then the meter of a bar line; or track, pitch, duration and velocity of a note.
    """
    events = [[-1] * len(FIELD_SIZES) for _ in active]
    nats = [0.0] * len(active)

    def sample_field(field: int, rows: Sequence[int], summary: np.ndarray) -> np.ndarray:
        scores = step.scores(summary, field)
        if field == STEP:
            scores = np.array([_heard_steps(step, *row) for row in zip(scores, summary, active, strict=True)])
        allowed = np.array([allowed_values(active[i].limits, field, events[i]) for i in rows])
        uniforms = np.array([active[i].draft.random.random() for i in rows])
        pairs = zip(scores, rows, strict=True)
        guided = np.array([apply_guidance(active[i].state, field, events[i], row) for row, i in pairs])
        if field == TRACK:
            guided = guided + [active[i].limits.part_bias() for i in rows]
        if field in (PITCH, DURATION) and any(active[i].draft.chords for i in rows):
            guided = guided + [
                chord_bias(active[i].draft.chords, active[i].state, field, events[i]) for i in rows
            ]
        values = draw_rows(guided, allowed, sampling, uniforms)
        field_nats = nll(scores, values).tolist()  # of the model alone, without guidance
        for i, value, value_nats in zip(rows, values.tolist(), field_nats, strict=True):
            events[i][field] = value
            nats[i] += value_nats
        return step.condition(summary, field, values)

    summary = sample_field(STEP, range(len(active)), summary)
    bars = [i for i, event in enumerate(events) if event[STEP] == BAR]
    notes = [i for i, event in enumerate(events) if event[STEP] not in (BAR, END)]
    if bars:
        sample_field(METER, bars, summary[bars])
    if notes:
        summary = summary[notes]
        for field in (TRACK, PITCH, DURATION, VELOCITY):
            summary = sample_field(field, notes, summary)
    for event, each in zip(events, active, strict=True):
        if event[PITCH] >= 0:  # from the index of the relative pitch to the sounding pitch
            event[PITCH] += each.state.pitch_offset
    return list(zip(events, nats, strict=True))


def _heard_steps(
    step: EventStep, scores: np.ndarray, summary: np.ndarray, active: _ActiveDraft
) -> np.ndarray:
    """Return the scores of the steps given that a note is not in a silent part.

    By Bayes' rule, that is the probability of a step times that of the other parts after this step. It is
    computed for the likeliest steps; the others cannot be sampled.
    """
    silent = active.limits.silent
    if not silent.any():
        return scores
    steps = np.argsort(np.where(active.limits.allowed_steps(), -scores, np.inf))[:LIKELY_STEPS]
    rows = step.scores(step.condition(np.repeat(summary[None], len(steps), axis=0), STEP, steps), TRACK)
    heard = logsumexp(rows[:, ~silent], axis=1) - logsumexp(rows, axis=1)
    result = np.full_like(scores, -np.inf)
    result[steps] = scores[steps] + np.where(steps < BAR, heard, 0.0)
    return result


def begin_bar(limits: Limits, draft: Draft) -> None:
    """Update the number of remaining bars, and decide which bar the new bar repeats."""
    limits.generated_bars += 1
    state = limits.state
    if draft.target_ticks is not None:
        state.set_target_length(draft.target_ticks)
    style, lag = draft.conditions.style, state.repeat_lag
    state.repeat_lag = sample_repeat_lag(state.bar, state.remaining, style, lag, draft.random)
    if draft.chords is not None and not may_repeat(draft.chords, state.bar, state.repeat_lag):
        state.repeat_lag = 0


def _read_primer(model: MusicModel, step: EventStep, active: _ActiveDraft) -> list[ArrayState]:
    """Read the events of a draft with the model, and return the states of the recurrent layers."""
    device = next(model.parameters()).device
    state: States | None = None
    events = active.draft.events
    for start in range(0, len(events), PRIMER_CHUNK_EVENTS):
        rows = []
        for event in events[start : start + PRIMER_CHUNK_EVENTS]:
            rows.append(active.state.features())
            active.push(event, active.detect(event))
        _, state = model(torch.tensor([rows], device=device), state)
    return step.stack.initial_states(1) if state is None else to_array_states(state)
