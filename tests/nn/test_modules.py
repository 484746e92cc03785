"""Dropout, subsampling and heads."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.nn import FrameHead, LockedDropout, RecurrentStack, Subsample, TiedKeyHead


def test_locked_dropout_drops_features_in_all_frames() -> None:
    torch.manual_seed(0)
    y = LockedDropout(0.25)(torch.ones(64, 5, 64))
    assert torch.equal(y, y[:, :1].expand_as(y))
    assert not torch.equal(y[0], y[1])
    assert (y == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert y.mean().item() == pytest.approx(1.0, abs=0.05)


def test_locked_dropout_is_the_identity_in_evaluation() -> None:
    x = torch.ones(2, 3, 4)
    assert LockedDropout(0.5).eval()(x) is x


@pytest.mark.parametrize("locked", [False, True])
def test_dropout_applies_to_the_output_of_every_layer(locked: bool) -> None:
    torch.manual_seed(0)
    y, _ = RecurrentStack("gru", 3, 32, 1, dropout=0.5, locked=locked)(torch.randn(1, 9, 3))
    zero = y == 0
    assert 0.2 < zero.float().mean() < 0.8
    assert bool((zero == zero[:, :1]).all()) is locked


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(0, 5))
def test_subsampling_of_a_batch_equals_each_sequence_alone(lengths: list[int], extra: int) -> None:
    torch.manual_seed(0)
    front = Subsample(3, (4, 5))
    x = torch.randn(len(lengths), max(lengths) + extra, 3)
    y, after = front(x, torch.tensor(lengths))
    assert after.tolist() == [math.ceil(math.ceil(n / 2) / 2) for n in lengths]
    assert y.shape[1] == math.ceil(x.shape[1] / front.factor)
    for i, n in enumerate(lengths):
        alone, (frames,) = front(x[i : i + 1, :n], torch.tensor([n]))
        torch.testing.assert_close(y[i, :frames], alone[0], rtol=1e-4, atol=1e-5)
        assert (y[i, frames:] == 0).all()


def test_head_scores_each_output_frame_separately() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4)
    head = FrameHead(4, 5, frames=2)
    y = head(x)
    assert y.shape == (2, 6, 5)
    for t in range(3):
        torch.testing.assert_close(y[:, 2 * t : 2 * t + 2].flatten(1), head.linear(x[:, t]))


def test_chords_of_tied_keys_have_probabilities_that_sum_to_one() -> None:
    torch.manual_seed(0)
    head = TiedKeyHead(4, 6, channels=2, hidden_size=5, window=2, below=3)
    for weights in head.parameters():
        torch.nn.init.normal_(weights)
    chords = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)))
    features, history = torch.randn(1, 4).expand(64, -1), torch.randn(1, 2, 6).expand(64, -1, -1)
    odds = head(features, history, chords)
    signs = 2 * chords - 1
    assert (odds * signs).sigmoid().prod(1).sum().item() == pytest.approx(1, abs=1e-5)
    assert (odds[:, 0] == odds[0, 0]).all() and odds[:, 5].unique().numel() > 8
