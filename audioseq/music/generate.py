"""Sample pieces from a model: several at once, one event of each at a time, within the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from audioseq.music import vocabulary as v
from audioseq.music.decode import Sampling, draw_each, surprise
from audioseq.music.grammar import LOWEST, Conditions, Walk
from audioseq.music.model import SIZES, MusicModel
from audioseq.music.step import EventStep
from audioseq.music.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import State
from audioseq.nn.step import Memory, to_memories

STRETCH = 512
"""Events of a primer that are read at once."""


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


@torch.inference_mode()
def generate(
    model: MusicModel, drafts: Sequence[Draft], sampling: Sampling, step: EventStep | None = None
) -> None:
    """Continue drafts to their end, as one batch; each depends on its own random generator alone.

    A primer is read by the model, wherever that is. From there on the processor goes event by event, see
    `step`: the state of the recurrent layers is carried along, so any event costs the same.

    Args:
        step: the model's, for who generates again and again; made here unless given.
    """
    step = step or EventStep(model)
    walks = [Walk(draft.conditions, steered=True) for draft in drafts]
    parts = [_read(model, step, walk, draft) for walk, draft in zip(walks, drafts, strict=True)]
    memories = [tuple(map(np.concatenate, zip(*layer, strict=True))) for layer in zip(*parts, strict=True)]
    pairs = list(zip(walks, drafts, strict=True))
    with np.errstate(all="ignore"):  # of weights that are no numbers, music is made too
        while pairs:
            told = np.array([walk.features() for walk, _ in pairs])
            summary, memories = step(told, memories)
            _sample(step, summary, pairs, sampling)
            kept = [i for i, (walk, _) in enumerate(pairs) if not walk.ended]
            if len(kept) < len(pairs):
                pairs = [pairs[i] for i in kept]
                memories = [tuple(part[kept] for part in memory) for memory in memories]


def _sample(
    step: EventStep, summary: np.ndarray, pairs: Sequence[tuple[Walk, Draft]], sampling: Sampling
) -> None:
    """Draw the next event of each draft, field by field."""
    events = [[-1] * len(SIZES) for _ in pairs]

    def choose(field: int, rows: Sequence[int], summary: np.ndarray) -> np.ndarray:
        scores = step.scores(summary, field)
        allowed = np.array([allowed_values(pairs[i][0], field, events[i]) for i in rows])
        chances = np.array([pairs[i][1].random.random() for i in rows])
        led = np.array(
            [row + pairs[i][0].lead(field, events[i]) for row, i in zip(scores, rows, strict=True)]
        )
        values = draw_each(led, allowed, sampling, chances)
        surprises = surprise(scores, values).tolist()
        for i, value, nats in zip(rows, values.tolist(), surprises, strict=True):
            events[i][field] = value
            pairs[i][1].nats += nats
        return step.tell(summary, field, values)

    summary = choose(STEP, range(len(pairs)), summary)
    lines = [i for i, event in enumerate(events) if event[STEP] == BAR]
    notes = [i for i, event in enumerate(events) if event[STEP] not in (BAR, END)]
    if lines:
        choose(METER, lines, summary[lines])
    if notes:
        summary = summary[notes]
        for field in (TRACK, PITCH, DURATION, VELOCITY):
            summary = choose(field, notes, summary)
    for event, (walk, draft) in zip(events, pairs, strict=True):
        if event[PITCH] >= 0:
            event[PITCH] += LOWEST + walk.shift
        walk.push(event)
        draft.events.append(event)
        draft.sampled += 1
        if event[STEP] == BAR and draft.ticks is not None:
            walk.aim(draft.ticks)


def allowed_values(walk: Walk, field: int, event: Sequence[int]) -> np.ndarray:
    """Return which values of a field may be drawn; pitches as they are written."""
    if field == STEP:
        return walk.steps()
    if field == TRACK:
        return walk.tracks(event[STEP])
    if field == PITCH:
        allowed = np.zeros(SIZES[PITCH], bool)
        first = -LOWEST - walk.shift  # as it is written, of the lowest pitch that sounds
        allowed[first : first + v.PITCHES] = walk.pitches(event[STEP], event[TRACK])
        return allowed
    return _EVERYTHING[field]


_EVERYTHING = [np.ones(size, bool) for size in SIZES]


def _read(model: MusicModel, step: EventStep, walk: Walk, draft: Draft) -> list[Memory]:
    """Let the model read what there is of a draft, and return what is remembered of it."""
    device = next(model.parameters()).device
    state: tuple[State, ...] | None = None
    for start in range(0, len(draft.events), STRETCH):
        rows = []
        for event in draft.events[start : start + STRETCH]:
            rows.append(walk.features())
            walk.push(event)
        _, state = model(torch.tensor([rows], device=device), state)
    return step.stack.start(1) if state is None else to_memories(state)
