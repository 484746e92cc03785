"""A reference implementation of generation: torch modules, called for every event and every field.

The package must generate the same pieces (`test_generate`); its speed is compared in `bench_compose`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from audioseq.music.generation.active_draft import begin_bar
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.guidance import apply_guidance
from audioseq.music.generation.limits import Limits, allowed_values
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.model import MusicModel
from audioseq.music.representation.event_state import FIELD_SIZES
from audioseq.music.representation.vocabulary import BAR, DURATION, END, METER, PITCH, STEP, TRACK, VELOCITY
from audioseq.nn import Recurrent, RecurrentStack


class PlainStack(nn.Module):
    """A recurrent stack as a sequence of `torch.nn` modules, with norms and residuals."""

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
    """Continue drafts to their end; primers are read event by event too."""
    model = copy.copy(model)
    model._modules = model._modules | {"stack": PlainStack(model.stack)}
    active = [ActiveDraft(Limits(draft), draft, list(draft.events)) for draft in drafts]
    for draft in drafts:
        draft.events.clear()
    state = None
    while active:
        features = torch.tensor([[each.limits.state.features()] for each in active])
        summary, state = model(features, state)
        drawn = sample(model, summary[:, 0], active, sampling)
        for event, (limits, draft, primer) in zip(drawn, active, strict=True):
            limits.push(event)
            draft.events.append(event)
            if len(draft.events) > len(primer):
                draft.sampled += 1
                if event[STEP] == BAR:
                    begin_bar(limits, draft)
        kept = [i for i, each in enumerate(active) if not each.limits.state.ended]
        if len(kept) < len(active):
            active = [active[i] for i in kept]
            state = [rows_of(part, kept) for part in state]


class ActiveDraft(NamedTuple):
    """A draft that has not ended, with its limits and its primer."""

    limits: Limits
    draft: Draft
    primer: list[list[int]]

    @property
    def given(self) -> list[int] | None:
        """The next event of the primer; None after its end."""
        return self.primer[len(self.draft.events)] if len(self.draft.events) < len(self.primer) else None


def sample(
    model: MusicModel, summary: Tensor, active: Sequence[ActiveDraft], sampling: Sampling
) -> list[list[int]]:
    """Return the next event of each draft: that of the primer, or one sampled field by field."""
    events = [each.given or [-1] * len(FIELD_SIZES) for each in active]
    free = [i for i, each in enumerate(active) if each.given is None]
    chosen: dict[int, Tensor] = {}
    for field in (STEP, METER, TRACK, PITCH, DURATION, VELOCITY):
        logits = model.score_field(summary, field, chosen)
        nats = -logits.log_softmax(1)
        for i in free:
            limits, draft, _ = active[i]
            step = events[i][STEP]
            if field == STEP or (step != END and (step == BAR) == (field == METER)):
                allowed = allowed_values(limits, field, events[i])
                scores = apply_guidance(limits.state, field, events[i], logits[i].numpy())
                events[i][field] = draw(scores, allowed, sampling, draft.random)
                draft.nats += float(nats[i, events[i][field]])
        chosen[field] = torch.tensor([max(event[field], 0) for event in events])
    for i in free:
        if events[i][PITCH] >= 0:
            events[i][PITCH] += active[i].limits.state.pitch_offset
    return events


def rows_of(state: Any, kept: list[int]) -> Any:
    """Take some rows of the state of a torch layer: h `[1, B, H]`, or (h, c)."""
    return state[:, kept] if isinstance(state, Tensor) else tuple(part[:, kept] for part in state)
