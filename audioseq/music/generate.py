"""Sample pieces from a model: several at once, one event of each at a time, within the grammar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from audioseq.music import vocabulary as v
from audioseq.music.decode import Sampling, draw
from audioseq.music.grammar import LOWEST, Conditions, Walk
from audioseq.music.model import SIZES, MusicModel
from audioseq.music.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import State

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
def generate(model: MusicModel, drafts: Sequence[Draft], sampling: Sampling) -> None:
    """Continue drafts to their end, as one batch; each depends on its own random generator alone.

    The state of the recurrent layers is carried from event to event, so any event costs the same.
    """
    device = next(model.parameters()).device
    walks = [Walk(draft.conditions, steered=True) for draft in drafts]
    states = [_read(model, walk, draft) for walk, draft in zip(walks, drafts, strict=True)]
    rows = list(range(len(drafts)))
    state = _stack(states)
    while rows:
        told = torch.tensor([[walks[row].features()] for row in rows], device=device)
        summary, state = model(told, state)
        for row, event, nats in _sample(
            model, summary[:, 0], [(row, walks[row], drafts[row]) for row in rows], sampling
        ):
            walks[row].push(event)
            drafts[row].events.append(event)
            drafts[row].nats += nats
            drafts[row].sampled += 1
            if event[STEP] == BAR:
                _count_down(walks[row], drafts[row])
        kept = [i for i, row in enumerate(rows) if not walks[row].ended]
        if len(kept) < len(rows):
            index = torch.tensor(kept, dtype=torch.int64, device=device)
            state = tuple(_take(layer, index) for layer in state or ())
            rows = [rows[i] for i in kept]


def _sample(
    model: MusicModel, summary: torch.Tensor, some: Sequence[tuple[int, Walk, Draft]], sampling: Sampling
) -> list[tuple[int, list[int], float]]:
    """Draw the next event of each draft, field by field."""
    events = [[-1] * len(SIZES) for _ in some]
    nats = [0.0] * len(some)
    chosen: dict[int, torch.Tensor] = {}

    def choose(field: int, rows: Sequence[int]) -> None:
        logits = model.choose(summary, field, chosen).float()
        scores, logs = logits.cpu().numpy(), logits.log_softmax(1).cpu().numpy()
        column = [0] * len(some)
        for i in rows:
            _, walk, draft = some[i]
            led = scores[i] + walk.lead(field, events[i])
            value = draw(led, _allowed(walk, field, events[i]), sampling, draft.random)
            events[i][field] = column[i] = value
            nats[i] -= float(logs[i, value])
        chosen[field] = torch.tensor(column, device=summary.device)

    choose(STEP, range(len(some)))
    lines = [i for i, event in enumerate(events) if event[STEP] == BAR]
    notes = [i for i, event in enumerate(events) if event[STEP] not in (BAR, END)]
    if lines:
        choose(METER, lines)
    if notes:
        for field in (TRACK, PITCH, DURATION, VELOCITY):
            choose(field, notes)
        for i in notes:
            events[i][PITCH] += LOWEST + some[i][1].shift
    return [(row, event, nat) for (row, _, _), event, nat in zip(some, events, nats, strict=True)]


def _allowed(walk: Walk, field: int, event: Sequence[int]) -> np.ndarray:
    """Return which values of a field may be drawn; pitches as they are written."""
    if field == STEP:
        return walk.steps()
    if field == TRACK:
        return walk.tracks(event[STEP])
    allowed = np.ones(SIZES[field], bool)
    if field == PITCH:
        allowed[:] = False
        sounding = walk.pitches(event[STEP], event[TRACK])
        first = -LOWEST - walk.shift  # as it is written, of the lowest pitch that sounds
        allowed[first : first + v.PITCHES] = sounding
    return allowed


def _count_down(walk: Walk, draft: Draft) -> None:
    if draft.ticks is not None:
        walk.aim(draft.ticks)


def _read(model: MusicModel, walk: Walk, draft: Draft) -> tuple[State, ...] | None:
    """Let the model read what there is of a draft, and return its state."""
    device = next(model.parameters()).device
    state: tuple[State, ...] | None = None
    for start in range(0, len(draft.events), STRETCH):
        rows = []
        for event in draft.events[start : start + STRETCH]:
            rows.append(walk.features())
            walk.push(event)
        _, state = model(torch.tensor([rows], device=device), state)
    return state


def _stack(states: Sequence[tuple[State, ...] | None]) -> tuple[State, ...] | None:
    """Put the states of single drafts into one batch; all have one, or none has."""
    some = [state for state in states if state is not None]
    if not some:
        return None
    return tuple(_join(parts) for parts in zip(*some, strict=True))


def _join(parts: Sequence[State]) -> State:
    if isinstance(parts[0], tuple):
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
    return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])


def _take(layer: State, index: torch.Tensor) -> State:
    if isinstance(layer, tuple):
        return layer[0][index], layer[1][index]
    return layer[index]
