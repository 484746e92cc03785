"""Composing as one writes it first: the modules of torch, called for every event and every field.

What the package does is measured against it, in pieces (`test_generate`) and in time (`bench_compose`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from audioseq.music.generation.generate import Draft, allowed_values, begin_bar
from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.model import SIZES, MusicModel
from audioseq.music.representation.event_state import LOWEST, EventState
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import Recurrent, RecurrentStack


class PlainStack(nn.Module):
    """The layers of a stack as modules of `torch.nn`, one after the other, with norms and residuals."""

    def __init__(self, stack: RecurrentStack) -> None:
        super().__init__()
        self.layers = nn.ModuleList(cast(Recurrent, layer).forward_layer for layer in stack.layers)
        self.norms = stack.norms

    def forward(self, x: Tensor, state: Sequence[Any] | None = None) -> tuple[Tensor, list[Any]]:
        after = []
        for i, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            y, last = layer(x, None if state is None else state[i])
            y = norm(y)
            x = x + y if x.shape == y.shape else y
            after.append(last)
        return x, after


@torch.no_grad()
def generate(model: MusicModel, drafts: Sequence[Draft], sampling: Sampling) -> None:
    """Continue drafts to their end; primers too are read event by event."""
    model = copy.copy(model)
    model._modules = model._modules | {"stack": PlainStack(model.stack)}
    ways = [Way(EventState(draft.conditions, steered=True), draft, list(draft.events)) for draft in drafts]
    for draft in drafts:
        draft.events.clear()
    state = None
    while ways:
        told = torch.tensor([[way.event_state.features()] for way in ways])
        summary, state = model(told, state)
        drawn = sample(model, summary[:, 0], ways, sampling)
        for event, (event_state, draft, primer) in zip(drawn, ways, strict=True):
            event_state.push(event)
            draft.events.append(event)
            if len(draft.events) > len(primer):
                draft.sampled += 1
                if event[STEP] == BAR:
                    begin_bar(event_state, draft)
        kept = [i for i, way in enumerate(ways) if not way.event_state.ended]
        if len(kept) < len(ways):
            ways = [ways[i] for i in kept]
            state = [rows_of(part, kept) for part in state]


class Way(NamedTuple):
    """A draft on its way."""

    event_state: EventState
    draft: Draft
    primer: list[list[int]]

    @property
    def given(self) -> list[int] | None:
        """The next event, while the primer lasts."""
        return self.primer[len(self.draft.events)] if len(self.draft.events) < len(self.primer) else None


def sample(model: MusicModel, summary: Tensor, ways: Sequence[Way], sampling: Sampling) -> list[list[int]]:
    """Return the next event of each draft, drawn field by field, or given."""
    events = [way.given or [-1] * len(SIZES) for way in ways]
    free = [i for i, way in enumerate(ways) if way.given is None]
    chosen: dict[int, Tensor] = {}
    for field in (STEP, METER, TRACK, PITCH, DURATION, VELOCITY):
        logits = model.choose(summary, field, chosen)
        nats = -logits.log_softmax(1)
        for i in free:
            event_state, draft, _ = ways[i]
            step = events[i][STEP]
            if field == STEP or (step != END and (step == BAR) == (field == METER)):
                allowed = allowed_values(event_state, field, events[i])
                led = apply_guidance(event_state, field, events[i], logits[i].numpy())
                events[i][field] = draw(led, allowed, sampling, draft.random)
                draft.nats += float(nats[i, events[i][field]])
        chosen[field] = torch.tensor([max(event[field], 0) for event in events])
    for i in free:
        if events[i][PITCH] >= 0:
            events[i][PITCH] += LOWEST + ways[i].event_state.shift
    return events


def rows_of(state: Any, kept: list[int]) -> Any:
    """Take some rows of what a layer of torch remembers: h `[1, B, H]`, or (h, c)."""
    return state[:, kept] if isinstance(state, Tensor) else tuple(part[:, kept] for part in state)
