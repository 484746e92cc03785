"""Generate pieces with a model: a batch of drafts, one event each at a time, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from audioseq.music.generation.active_draft import ActiveDraft
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.event_sampling import sample_events
from audioseq.music.generation.sampling import Sampling
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.representation.event_state import FEATURES
from audioseq.runtime.step import ArrayState
from audioseq.runtime.threads import one_thread

MAX_ATTEMPTS = 20
"""How often an event that completes a run of the training data is sampled, at most."""
TEMPERATURE_STEP = 0.3
"""Added to the temperature with each further attempt."""


@one_thread()
def generate(
    step: EventStep,
    drafts: Sequence[Draft],
    sampling: Sampling,
    training_runs: Fingerprint | None = None,
    check: Callable[[], object] | None = None,
) -> None:
    """Continue drafts to their end, as one batch. Each depends on its own random generator alone.

    The state of the recurrent layers is carried from event to event, so the cost of an event does not grow
    with the piece.

    Args:
        step: the model.
        drafts: what the model begins with, and what it may add; the events are added to them.
        sampling: options of sampling.
        training_runs: runs of notes to avoid: a note that completes one is resampled.
        check: called before each event; an error that it raises stops the generation.
    """
    active = [ActiveDraft(draft, training_runs) for draft in drafts]
    known: dict[bytes, list[ArrayState]] = {}
    with np.errstate(all="ignore"):  # a model with weights that are NaN generates music too
        parts = [_read_primer(step, each, known) for each in active]
        states = [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
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


def _add_events(step: EventStep, summary: np.ndarray, active: list[ActiveDraft], sampling: Sampling) -> None:
    """Sample and append the next event of each draft.

    An event that completes a run of the training data is sampled again, each time at a higher temperature, as
    the model may be certain of the copy. The last attempt is accepted: the piece then counts as copied.
    """
    rows, hotter = list(range(len(active))), sampling
    for attempt in range(MAX_ATTEMPTS):
        rejected = []
        samples = sample_events(step, summary[rows], [active[row] for row in rows], hotter)
        for row, (event, nats, is_given) in zip(rows, samples, strict=True):
            each = active[row]
            detector = each.detect(event)
            # An event without a note returns the same detector, whose result concerns an earlier note.
            is_copy = detector is not None and detector is not each.detector and detector.completes_run
            if is_copy and not is_given and attempt < MAX_ATTEMPTS - 1:
                rejected.append(row)
                continue
            each.add(event, nats, is_given, detector)
            each.draft.resampled += attempt
        if not rejected:
            return
        rows = rejected
        hotter = replace(sampling, temperature=sampling.temperature + (attempt + 1) * TEMPERATURE_STEP)


def _read_primer(
    step: EventStep, active: ActiveDraft, known: dict[bytes, list[ArrayState]]
) -> list[ArrayState]:
    """Read the events of a draft with the model, and return the states of the recurrent layers.

    Args:
        known: states after other primers of this call, by their features; candidates share a primer.
    """
    rows = []
    for event in active.draft.events:
        rows.append(active.state.features())
        active.push(event, active.detect(event))
    features = np.array(rows, np.int64).reshape(len(rows), 1, FEATURES)
    key = features.tobytes()
    if key not in known:
        known[key] = step.read(features, 1)[1]
    return known[key]
