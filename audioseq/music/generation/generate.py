"""Generate pieces with a model: a batch of drafts, one event each at a time, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.repetition import sample_repeat_lag
from audioseq.music.generation.sampling import Sampling, draw_rows, nll
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.detector import CopyDetector
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import FIELD_SIZES, MusicModel
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions, EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import States
from audioseq.nn.step import ArrayState, to_array_states

PRIMER_CHUNK_EVENTS = 512
"""Events of a primer in one forward pass."""
MAX_ATTEMPTS = 20
"""How often an event that completes a run of the training data is sampled, at most."""
TEMPERATURE_STEP = 0.3
"""Added to the temperature with each further attempt."""


@dataclass
class Draft:
    """A piece that is being generated.

    Args:
        conditions: requested properties.
        random: source of all randomness of this draft.
        target_ticks: length to reach, within half a bar; if given, the number of remaining bars follows from
            it after each bar line.
        events: events so far; initially those of a primer.
    """

    conditions: Conditions
    random: np.random.Generator
    target_ticks: float | None = None
    events: list[list[int]] = field(default_factory=list)
    nats: float = 0.0
    """Negative log-likelihood of the sampled events, at temperature 1."""
    sampled: int = 0
    """Number of sampled events."""
    resampled: int = 0
    """Number of samples that were rejected because they completed a run of the training data."""


class _ActiveDraft:
    """A draft that has not ended, with its states."""

    def __init__(self, draft: Draft, runs: Fingerprint | None) -> None:
        self.draft = draft
        self.state = EventState(draft.conditions, guided=True)
        self.detector = None if runs is None else CopyDetector(runs, draft.conditions.programs)

    def detect(self, event: Sequence[int]) -> CopyDetector | None:
        """Return the copy detector after an event; bar lines and the end leave it unchanged."""
        if self.detector is None or event[PITCH] < 0:
            return self.detector
        return self.detector.with_note(self.state.onset(event[STEP]), event[TRACK], event[PITCH])

    def push(self, event: Sequence[int], detector: CopyDetector | None) -> None:
        """Advance the states by an event."""
        self.state.push(event)
        self.detector = detector


@torch.inference_mode()
def generate(
    model: MusicModel,
    drafts: Sequence[Draft],
    sampling: Sampling,
    step: EventStep | None = None,
    training_runs: Fingerprint | None = None,
) -> None:
    """Continue drafts to their end, as one batch. Each depends on its own random generator alone.

    The model reads primers on its device. Events are then generated on the CPU by `EventStep`, which carries
    the state of the recurrent layers, so the cost of an event does not grow with the piece.

    Args:
        step: of the model, to reuse it in several calls; created if not given.
        training_runs: runs of notes to avoid: a note that completes one is resampled.
    """
    step = step or EventStep(model)
    active = [_ActiveDraft(draft, training_runs) for draft in drafts]
    parts = [_read_primer(model, step, each) for each in active]
    states = [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
    with np.errstate(all="ignore"):  # a model with weights that are NaN generates music too
        while active:
            features = np.array([each.state.features() for each in active])
            summary, states = step(features, states)
            _add_events(step, summary, active, sampling)
            kept = [i for i, each in enumerate(active) if not each.state.ended]
            if len(kept) < len(active):
                active = [active[i] for i in kept]
                states = [tuple(part[kept] for part in layer) for layer in states]


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
            each.push(event, detector)
            draft = each.draft
            draft.events.append(event)
            draft.sampled += 1
            draft.nats += nats
            draft.resampled += attempt
            if event[STEP] == BAR:
                begin_bar(each.state, draft)
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
        allowed = np.array([allowed_values(active[i].state, field, events[i]) for i in rows])
        uniforms = np.array([active[i].draft.random.random() for i in rows])
        pairs = zip(scores, rows, strict=True)
        guided = np.array([apply_guidance(active[i].state, field, events[i], row) for row, i in pairs])
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


def begin_bar(state: EventState, draft: Draft) -> None:
    """Update the number of remaining bars, and decide which bar the new bar repeats."""
    if draft.target_ticks is not None:
        state.set_target_length(draft.target_ticks)
    style, lag = draft.conditions.style, state.repeat_lag
    state.repeat_lag = sample_repeat_lag(state.bar, state.remaining, style, lag, draft.random)


def allowed_values(state: EventState, field: int, event: Sequence[int]) -> np.ndarray:
    """Return which values of a field are valid `[V]` bool; pitches are relative."""
    if field == STEP:
        return state.allowed_steps()
    if field == TRACK:
        return state.allowed_tracks(event[STEP])
    if field == PITCH:
        allowed = np.zeros(FIELD_SIZES[PITCH], bool)
        first = -state.pitch_offset  # index of the relative pitch of MIDI pitch 0
        allowed[first : first + v.PITCHES] = state.allowed_pitches(event[STEP], event[TRACK])
        return allowed
    return _ALL_VALUES[field]


_ALL_VALUES = [np.ones(size, bool) for size in FIELD_SIZES]


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
