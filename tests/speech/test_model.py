"""The acoustic model: shapes, padding and the loss."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.speech.model import AcousticModel, ctc
from tests.speech.tiny import MODEL

P2G = {**MODEL.model_dump(), "p2g_layers": 1, "p2g_size": 24}


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    torch.manual_seed(0)
    return AcousticModel(29, 29, **MODEL.model_dump()).eval()


@pytest.fixture(scope="module")
def p2g_model() -> AcousticModel:
    """A model with a phone-to-grapheme decoder."""
    torch.manual_seed(0)
    return AcousticModel(29, 9, **P2G).eval()


@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=2, max_size=3),
    seed=st.integers(0, 99),
    with_p2g=st.booleans(),
)
def test_batching_does_not_change_the_emissions_of_an_utterance(
    model: AcousticModel, p2g_model: AcousticModel, lengths: list[int], seed: int, with_p2g: bool
) -> None:
    model = p2g_model if with_p2g else model
    torch.manual_seed(seed)
    features = torch.randn(len(lengths), max(lengths) + 5, 20)
    batch = model(features, torch.tensor(lengths))
    for i, length in enumerate(lengths):
        alone = model(features[i : i + 1, :length], torch.tensor([length]))
        frames = int(alone.lengths)
        assert frames == int(batch.lengths[i]) == -(-length // 4)
        pairs = zip(
            (alone.log_probs, *alone.intermediate), (batch.log_probs, *batch.intermediate), strict=True
        )
        for one, many in pairs:
            torch.testing.assert_close(one[0, :frames], many[i, :frames])


def test_emissions_are_distributions_every_40_ms(model: AcousticModel) -> None:
    emissions = model.compute_emissions(torch.zeros(1, 16000), torch.tensor([16000]))
    torch.testing.assert_close(
        emissions.log_probs.exp().sum(-1), torch.ones(1, 50)
    )  # padded to two whole seconds
    assert emissions.lengths.tolist() == [26]
    assert model.frame_seconds == 0.04


def test_emissions_of_waveforms_equal_those_of_their_features(model: AcousticModel) -> None:
    waveforms, lengths = 0.1 * torch.randn(2, 20_000), torch.tensor([20_000, 9_000])
    emissions = model.compute_emissions(waveforms, lengths)
    with torch.no_grad():
        forward = model(*model.log_mel(waveforms, lengths))
    assert torch.equal(emissions.lengths, forward.lengths)
    for one, other, length in zip(emissions.log_probs, forward.log_probs, forward.lengths, strict=True):
        torch.testing.assert_close(one[:length], other[:length])


@settings(deadline=None, max_examples=8)
@given(sizes=st.lists(st.integers(1, 30_000), min_size=1, max_size=2), seed=st.integers(0, 9))
def test_the_p2g_decoder_reads_the_mean_phone_probabilities_of_two_passes(
    p2g_model: AcousticModel, sizes: list[int], seed: int
) -> None:
    torch.manual_seed(seed)
    waveforms, lengths = 0.1 * torch.randn(len(sizes), max(sizes)), torch.tensor(sizes)
    emissions = p2g_model.compute_emissions(waveforms, lengths)
    for row, (waveform, size) in enumerate(zip(waveforms, sizes, strict=True)):
        features, frames = p2g_model.log_mel(waveform[None, :size], torch.tensor([size]))
        delayed = torch.nn.functional.pad(features, (0, 0, 2, 0))  # by 20 ms
        with torch.no_grad():
            passes = p2g_model(features, frames), p2g_model(delayed, frames + 2)
            count = int(passes[0].intermediate_lengths)
            halves = [each.intermediate[-1][:, :count].exp() / 2 for each in passes]
            expected, ends = p2g_model.decode_phones(sum(halves).log(), torch.tensor([count]))
        assert int(ends) == int(emissions.lengths[row])
        torch.testing.assert_close(
            emissions.log_probs[row, : int(ends)], expected[0, : int(ends)], rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_fine_head_restores_the_frame_rate_before_stacking(size: int) -> None:
    options = {**MODEL.model_dump(), "frame_stacking": size}
    emissions = AcousticModel(5, 3, **options)(torch.zeros(1, 90, 20), torch.tensor([90]))
    assert emissions.log_probs.shape[1] >= int(emissions.lengths) == 23
    coarse = AcousticModel(5, 3, fine=False, **options)
    emissions = coarse(torch.zeros(1, 90, 20), torch.tensor([90]))
    assert emissions.log_probs.shape == (1, -(-23 // size), 5)
    assert emissions.intermediate[0].shape == (1, 23, 3)
    assert coarse.frame_seconds == pytest.approx(0.04 * size)


def test_the_hop_length_sets_the_frame_rate() -> None:
    model = AcousticModel(5, 3, **{**MODEL.model_dump(), "hop_length": 128})
    assert model.frame_seconds == pytest.approx(0.032)
    emissions = model.compute_emissions(torch.zeros(1, 16000), torch.tensor([16000]))
    assert emissions.lengths.tolist() == [32]


def test_the_p2g_decoder_depends_on_the_phones_only(p2g_model: AcousticModel) -> None:
    emissions = p2g_model(torch.randn(2, 90, 20), torch.tensor([90, 41]))
    assert [head.shape[2] for head in emissions.intermediate] == [9, 9]
    decoded, lengths = p2g_model.decode_phones(emissions.intermediate[1], emissions.intermediate_lengths)
    assert torch.equal(lengths, emissions.lengths) and lengths.tolist() == [23, 11]
    torch.testing.assert_close(decoded, emissions.log_probs)
    coarse = AcousticModel(29, 9, fine=False, **P2G).eval()
    decoded, lengths = coarse.decode_phones(emissions.intermediate[1], emissions.intermediate_lengths)
    assert decoded.shape == (2, 12, 29) and lengths.tolist() == [12, 6] and coarse.frame_seconds == 0.08


def test_the_loss_sums_the_probabilities_of_all_paths_of_the_text() -> None:
    log_probs = torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(1)).log_softmax(-1)
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        if [token for token, _ in itertools.groupby(path) if token] == [1, 2]:
            total += float(torch.stack([log_probs[0, t, token] for t, token in enumerate(path)]).sum().exp())
    loss = ctc(log_probs, torch.tensor([4]), torch.tensor([[1, 2]]), torch.tensor([2]))
    assert float(loss) == pytest.approx(-torch.tensor(total).log().item(), rel=1e-5)


def test_a_text_that_does_not_fit_adds_no_loss() -> None:
    log_probs = torch.zeros(1, 2, 3).log_softmax(-1)
    assert float(ctc(log_probs, torch.tensor([2]), torch.tensor([[1, 1]]), torch.tensor([2]))) == 0
