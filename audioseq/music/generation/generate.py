"""Sample pieces from a model: several at once, one event of each at a time, within the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.repetition import bars_back
from audioseq.music.generation.sampling import Sampling, draw_each, nll
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.detector import CopyDetector
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import SIZES, MusicModel
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import LOWEST, Conditions, EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import State
from audioseq.nn.step import Memory, to_memories

STRETCH = 512
"""Events of a primer that are read at once."""
TRIES = 20
"""How often an event is drawn, at most, until it completes no run of notes that is known."""
FREER = 0.3
"""What is added to the temperature at each of them."""


@dataclass
class Draft:
    """A piece in the making.

    Args:
        conditions: what is asked of it.
        random: where its chances come from.
        ticks: length to be reached, within half a bar; the bars that remain are counted from it where given.
        events: what there is so far; a primer, at first.
    """

    conditions: Conditions
    random: np.random.Generator
    ticks: float | None = None
    events: list[list[int]] = field(default_factory=list)
    nats: float = 0.0
    """Of all that was sampled, at temperature 1."""
    sampled: int = 0
    resampled: int = 0
    """How often an event was drawn again, so that no known run came about."""


@dataclass
class _Way:
    """A draft on its way."""

    event_state: EventState
    draft: Draft
    ear: CopyDetector | None

    def hear(self, event: Sequence[int]) -> CopyDetector | None:
        """Return what will have been heard after an event; bar lines and the end make no sound."""
        if self.ear is None or event[PITCH] < 0:
            return self.ear
        return self.ear.then(self.event_state.onset(event[STEP]), event[TRACK], event[PITCH])

    def push(self, event: Sequence[int], ear: CopyDetector | None) -> None:
        """Take an event."""
        self.event_state.push(event)
        self.ear = ear


@torch.inference_mode()
def generate(
    model: MusicModel,
    drafts: Sequence[Draft],
    sampling: Sampling,
    step: EventStep | None = None,
    known: Fingerprint | None = None,
) -> None:
    """Continue drafts to their end, as one batch; each depends on its own random generator alone.

    A primer is read by the model, wherever that is. From there on the processor goes event by event, see
    `step`: the state of the recurrent layers is carried along, so any event costs the same.

    Args:
        step: the model's, for who generates again and again; made here unless given.
        known: runs of notes that are to be avoided: a note that completes one is drawn again.
    """
    step = step or EventStep(model)
    ways = [
        _Way(
            EventState(draft.conditions, steered=True),
            draft,
            None if known is None else CopyDetector(known, draft.conditions.programs),
        )
        for draft in drafts
    ]
    parts = [_read(model, step, way) for way in ways]
    memories = [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
    with np.errstate(all="ignore"):  # of weights that are no numbers, music is made too
        while ways:
            told = np.array([way.event_state.features() for way in ways])
            summary, memories = step(told, memories)
            _sample(step, summary, ways, sampling)
            kept = [i for i, way in enumerate(ways) if not way.event_state.ended]
            if len(kept) < len(ways):
                ways = [ways[i] for i in kept]
                memories = [tuple(part[kept] for part in memory) for memory in memories]


def _sample(step: EventStep, summary: np.ndarray, ways: Sequence[_Way], sampling: Sampling) -> None:
    """Draw the next event of each draft; one that completes a known run anew, each time more freely."""
    rows = list(range(len(ways)))
    for attempt in range(TRIES):
        freer = replace(sampling, temperature=sampling.temperature + attempt * FREER) if attempt else sampling
        again = []
        for row, (event, nats) in zip(
            rows, _draw(step, summary[rows], [ways[row] for row in rows], freer), strict=True
        ):
            way = ways[row]
            ear = way.hear(event)
            if ear is not None and ear.repeats and ear is not way.ear and attempt < TRIES - 1:
                again.append(row)
                continue
            way.push(event, ear)
            draft = way.draft
            draft.events.append(event)
            draft.sampled += 1
            draft.nats += nats
            draft.resampled += attempt
            if event[STEP] == BAR:
                begin_bar(way.event_state, draft)
        if not again:
            return
        rows = again


def _draw(
    step: EventStep, summary: np.ndarray, ways: Sequence[_Way], sampling: Sampling
) -> list[tuple[list[int], float]]:
    """Draw the next event of each draft, field by field; also return its nats, at temperature 1."""
    events = [[-1] * len(SIZES) for _ in ways]
    nats = [0.0] * len(ways)

    def choose(field: int, rows: Sequence[int], summary: np.ndarray) -> np.ndarray:
        scores = step.scores(summary, field)
        allowed = np.array([allowed_values(ways[i].event_state, field, events[i]) for i in rows])
        chances = np.array([ways[i].draft.random.random() for i in rows])
        led = np.array(
            [
                apply_guidance(ways[i].event_state, field, events[i], row)
                for row, i in zip(scores, rows, strict=True)
            ]
        )
        values = draw_each(led, allowed, sampling, chances)
        surprises = nll(scores, values).tolist()
        for i, value, surprised in zip(rows, values.tolist(), surprises, strict=True):
            events[i][field] = value
            nats[i] += surprised
        return step.tell(summary, field, values)

    summary = choose(STEP, range(len(ways)), summary)
    lines = [i for i, event in enumerate(events) if event[STEP] == BAR]
    notes = [i for i, event in enumerate(events) if event[STEP] not in (BAR, END)]
    if lines:
        choose(METER, lines, summary[lines])
    if notes:
        summary = summary[notes]
        for field in (TRACK, PITCH, DURATION, VELOCITY):
            summary = choose(field, notes, summary)
    for event, way in zip(events, ways, strict=True):
        if event[PITCH] >= 0:
            event[PITCH] += LOWEST + way.event_state.shift
    return list(zip(events, nats, strict=True))


def begin_bar(event_state: EventState, draft: Draft) -> None:
    """Choose how long a draft goes on after this bar, and what the bar comes back to."""
    if draft.ticks is not None:
        event_state.aim(draft.ticks)
    event_state.back = bars_back(
        event_state.bar, event_state.remaining, draft.conditions.style, event_state.back, draft.random
    )


def allowed_values(event_state: EventState, field: int, event: Sequence[int]) -> np.ndarray:
    """Return which values of a field may be drawn; pitches as they are written."""
    if field == STEP:
        return event_state.steps()
    if field == TRACK:
        return event_state.tracks(event[STEP])
    if field == PITCH:
        allowed = np.zeros(SIZES[PITCH], bool)
        first = -LOWEST - event_state.shift  # as it is written, of the lowest pitch that sounds
        allowed[first : first + v.PITCHES] = event_state.pitches(event[STEP], event[TRACK])
        return allowed
    return _EVERYTHING[field]


_EVERYTHING = [np.ones(size, bool) for size in SIZES]


def _read(model: MusicModel, step: EventStep, way: _Way) -> list[Memory]:
    """Let the model read what there is of a draft, and return what is remembered of it."""
    device = next(model.parameters()).device
    state: tuple[State, ...] | None = None
    for start in range(0, len(way.draft.events), STRETCH):
        rows = []
        for event in way.draft.events[start : start + STRETCH]:
            rows.append(way.event_state.features())
            way.push(event, way.hear(event))
        _, state = model(torch.tensor([rows], device=device), state)
    return step.stack.start(1) if state is None else to_memories(state)
