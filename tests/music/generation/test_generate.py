"""Generation in numpy equals the reference implementation with torch modules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.music.config import ModelConfig
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.generate import generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.generation.stepper import EventStep
from audioseq.music.model import MusicModel
from audioseq.music.representation.event_state import FIELD_SIZES, KNOWN_FIELDS, Conditions, EventState
from tests.music import plain, tiny


def network(cell: str = "lstm", scale: float = 3.0, seed: int = 0) -> tuple[MusicModel, EventStep]:
    """A model with peaked distributions in float64, in torch and in NumPy."""
    config = ModelConfig(**tiny.MODEL.model_dump() | {"cell": cell})
    model = tiny.network(seed, scale, config).double()
    return model, tiny.step(model, config)


def drafts(count: int, seed: int = 0, bars: int = 3, ticks: float | None = None) -> list[Draft]:
    """Drafts with different conditions."""
    return [
        Draft(
            Conditions(i % 4, (5 * i + seed) % 12, bool(i % 2), 12, 8, bars, (0, 40, 52)[: 1 + i % 3]),
            np.random.default_rng([seed, i]),
            ticks,
        )
        for i in range(count)
    ]


def primed(events: int = 40) -> Draft:
    """A draft with a primer."""
    example = tiny.examples(1)[0]
    conditions = replace(example.conditions, bars=7)
    return Draft(conditions, np.random.default_rng(5), None, example.events[:events].tolist())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@settings(deadline=None, max_examples=8)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(0.5, 8),
    count=st.integers(0, 3),
    ticks=st.none() | st.floats(1, 700),
    sampling=st.builds(
        Sampling, temperature=st.floats(0.3, 1.5), top_k=st.integers(0, 9), top_p=st.floats(0.5, 1)
    ),
)
def test_pieces_equal_those_of_the_reference(
    cell: str, seed: int, scale: float, count: int, ticks: float | None, sampling: Sampling
) -> None:
    model, step = network(cell, scale, seed)
    found, expected = ([primed(seed % 48), *drafts(count, seed, ticks=ticks)] for _ in range(2))
    generate(step, found, sampling)
    plain.generate(model, expected, sampling)
    for one, other in zip(found, expected, strict=True):
        assert one.events == other.events
        assert one.sampled == other.sampled > 0
        assert np.isclose(one.nats, other.nats, rtol=1e-9)


def test_step_gives_the_scores_of_the_model() -> None:
    (model, step), example = network(), tiny.examples(1)[0]
    event_state = EventState(example.conditions)
    events, inputs = example.model_arrays()
    summaries, _ = model(torch.from_numpy(inputs.astype(np.int64))[None])
    states = step.stack.initial_states(1)
    for i, event in enumerate(events):
        summary, states = step(np.array([event_state.features()]), states)
        event_state.push(example.events[i].tolist())
        for field in range(len(FIELD_SIZES)):
            if event[field] < 0:
                continue
            chosen, conditioned = {}, summary
            for known in KNOWN_FIELDS[field]:
                chosen[known] = torch.tensor([int(event[known])])
                conditioned = step.condition(conditioned, known, np.array([event[known]]))
            expected = model.score_field(summaries[:, i], field, chosen).detach().numpy()
            np.testing.assert_allclose(step.scores(conditioned, field), expected, rtol=0, atol=1e-10)


def test_likelihoods_are_those_of_the_model() -> None:
    (model, step), example = network(), tiny.examples(1)[0]
    events, inputs = example.model_arrays()
    summaries, _ = model(torch.from_numpy(inputs.astype(np.int64))[None])
    expected = model.losses(summaries[0], torch.from_numpy(events.astype(np.int64))).sum(dim=1)
    found, _ = step.read(inputs[:, None].astype(np.int64), 1)
    nats = step.nats(np.concatenate(found), events)
    np.testing.assert_allclose(nats, expected.detach().numpy(), rtol=1e-5)


def test_drafts_of_different_lengths_are_independent() -> None:
    (_, step), together, alone = network(), [*drafts(2), primed()], [*drafts(2), primed()]
    generate(step, together, Sampling())
    for draft, other in zip(alone, together, strict=True):
        generate(step, [draft], Sampling())
        assert draft.events == other.events
