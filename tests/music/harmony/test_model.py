"""The joint likelihood is normalised, and equal for single pieces, padded batches and single steps."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from audioseq.music.generation.sampling import Sampling
from audioseq.music.harmony.generate import PartialHarmonisation, _apply_temperature, generate
from audioseq.music.harmony.model import elapsed_sixteenths
from audioseq.music.harmony.voices import VOCABULARY_SIZES, to_tokens
from tests.music.harmony import tiny


@torch.no_grad()
def test_probabilities_of_all_continuations_sum_to_one() -> None:
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
    assert torch.allclose(nats[:, 0], beginnings[12345], atol=1e-5)  # independent of later lower voices
    pieces[:, 1, 0] = 2  # the model sees the whole melody
    other = model(pieces[:1], lengths[:1])[0, 0].double().sum()
    assert not torch.allclose(other, beginnings[12345])


@torch.no_grad()
def test_padded_batch_equals_single_pieces() -> None:
    model = tiny.model()
    random = np.random.default_rng(0)
    short, long = (torch.from_numpy(random.integers(0, VOCABULARY_SIZES, (length, 4))) for length in (3, 8))
    batch = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    nats = model(batch, torch.tensor([3, 8]))
    assert torch.allclose(nats[0, :3], model(short[None], torch.tensor([3]))[0], atol=1e-5)
    assert torch.allclose(nats[1], model(long[None], torch.tensor([8]))[0], atol=1e-5)
    assert (nats[0, 3:] == 0).all()


@torch.no_grad()
def test_generated_nats_equal_forward_pass() -> None:
    model = tiny.model()
    melodies = [np.array(pitches) for pitches in ([67] * 4 + [69] * 20, [72, 74, 76], [60] * 9)]
    pieces = [PartialHarmonisation(melody, np.random.default_rng(i)) for i, melody in enumerate(melodies)]
    generate(model, pieces, Sampling())
    for i, (piece, melody) in enumerate(zip(pieces, melodies, strict=True)):
        assert (piece.frames[:, 0] == melody).all()
        whole = model(torch.from_numpy(to_tokens(piece.frames))[None], torch.tensor([len(melody)]))
        assert piece.nats == pytest.approx(float(whole.sum()), rel=1e-4)
        alone = PartialHarmonisation(melody, np.random.default_rng(i))
        generate(model, [alone], Sampling())
        assert (alone.frames == piece.frames).all()


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 1e9])
def test_temperature_keeps_the_probability_of_holding(temperature: float) -> None:
    torch.manual_seed(0)
    log_probs, held = (9 * torch.randn(50, 24)).log_softmax(1), torch.randint(24, (50, 1))
    tempered = _apply_temperature(log_probs, held, temperature).exp()
    assert torch.allclose(tempered.sum(1), torch.ones(50), atol=1e-5)
    assert torch.allclose(tempered.gather(1, held), log_probs.exp().gather(1, held))
    moves = tempered.scatter(1, held, 0.0)
    if temperature == 0:
        assert (moves.argmax(1) == log_probs.scatter(1, held, -torch.inf).argmax(1)).all()
        assert torch.allclose(moves.max(1).values, moves.sum(1), atol=1e-5)
    if temperature == 1:
        assert torch.allclose(tempered, log_probs.exp(), atol=1e-5)


def test_elapsed_sixteenths_are_at_most_sixteen() -> None:
    assert elapsed_sixteenths(torch.tensor([[1] * 20 + [2]]))[0, [0, 15, 16, 19, 20]].tolist() == [
        1,
        16,
        16,
        16,
        1,
    ]
