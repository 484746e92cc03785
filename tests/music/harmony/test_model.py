"""The joint likelihood is exact, and the same whether pieces are read alone, in a batch or step by step."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from audioseq.music.generation.sampling import Sampling
from audioseq.music.harmony.generate import PartialHarmonisation, _apply_temperature, generate
from audioseq.music.harmony.model import elapsed_sixteenths
from audioseq.music.harmony.voices import VOCABULARY_SIZES, tokens
from tests.music.harmony import tiny


@torch.no_grad()
def test_the_probabilities_of_all_that_may_come_next_sum_to_one() -> None:
    model = tiny.model()
    lower = torch.tensor(list(product(*map(range, VOCABULARY_SIZES[1:]))))  # every alto, tenor and bass
    pieces = torch.zeros(len(lower), 2, 4, dtype=torch.int64)
    pieces[:, :, 0] = torch.tensor([5, 9])
    lengths = torch.full((len(lower),), 2)
    pieces[:, 0, 1:] = lower
    beginnings = model(pieces, lengths)[:, 0].double().sum(1)
    assert torch.exp(-beginnings).sum() == pytest.approx(1, abs=1e-5)
    pieces[:, 0, 1:] = lower[12345]
    pieces[:, 1, 1:] = lower
    nats = model(pieces, lengths).double().sum(2)
    assert torch.exp(-nats[:, 1]).sum() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(nats[:, 0], beginnings[12345], atol=1e-5)  # whatever comes after
    pieces[:, 1, 0] = 2  # of the melody it knows what comes
    other = model(pieces[:1], lengths[:1])[0, 0].double().sum()
    assert not torch.allclose(other, beginnings[12345])


@torch.no_grad()
def test_a_piece_alone_and_the_same_in_a_padded_batch() -> None:
    model = tiny.model()
    random = np.random.default_rng(0)
    short, long = (torch.from_numpy(random.integers(0, VOCABULARY_SIZES, (length, 4))) for length in (3, 8))
    batch = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    together = model(batch, torch.tensor([3, 8]))
    assert torch.allclose(together[0, :3], model(short[None], torch.tensor([3]))[0], atol=1e-5)
    assert torch.allclose(together[1], model(long[None], torch.tensor([8]))[0], atol=1e-5)
    assert (together[0, 3:] == 0).all()


@torch.no_grad()
def test_what_is_written_step_by_step_costs_what_the_whole_costs() -> None:
    model = tiny.model()
    melodies = [np.array(pitches) for pitches in ([67] * 4 + [69] * 20, [72, 74, 76], [60] * 9)]
    drafts = [PartialHarmonisation(melody, np.random.default_rng(i)) for i, melody in enumerate(melodies)]
    generate(model, drafts, Sampling())
    for i, (draft, melody) in enumerate(zip(drafts, melodies, strict=True)):
        assert (draft.frames[:, 0] == melody).all()
        whole = model(torch.from_numpy(tokens(draft.frames))[None], torch.tensor([len(melody)]))
        assert draft.nats == pytest.approx(float(whole.sum()), rel=1e-4)
        alone = PartialHarmonisation(melody, np.random.default_rng(i))
        generate(model, [alone], Sampling())
        assert (alone.frames == draft.frames).all()


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1e9])
def test_a_temperature_changes_where_voices_move_and_not_when(temperature: float) -> None:
    torch.manual_seed(0)
    logs, held = (9 * torch.randn(50, 24)).log_softmax(1), torch.randint(24, (50, 1))
    found = _apply_temperature(logs, held, temperature).exp()
    assert torch.allclose(found.sum(1), torch.ones(50), atol=1e-5)
    assert torch.allclose(found.gather(1, held), logs.exp().gather(1, held))
    moves = found.scatter(1, held, 0.0)
    if temperature == 0:
        assert (moves.argmax(1) == logs.scatter(1, held, -torch.inf).argmax(1)).all()
        assert torch.allclose(moves.max(1).values, moves.sum(1), atol=1e-5)
    if temperature == 1:
        assert torch.allclose(found, logs.exp(), atol=1e-5)


def test_ages_end_at_sixteen() -> None:
    assert elapsed_sixteenths(torch.tensor([[1] * 20 + [2]]))[0, [0, 15, 16, 19, 20]].tolist() == [
        1,
        16,
        16,
        16,
        1,
    ]
