"""Masks and reversal within lengths, against Python's own lists."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.nn import length_mask, reverse_within


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 2))
def test_against_lists(lengths: list[int], more: int) -> None:
    frames = max(lengths) + more
    x = torch.randn(len(lengths), frames, 2)
    sizes = torch.tensor(lengths)
    assert length_mask(sizes, frames).tolist() == [[t < n for t in range(frames)] for n in lengths]
    expected = [row[:n][::-1] + row[n:] for row, n in zip(x.tolist(), lengths, strict=True)]
    assert reverse_within(x, sizes).tolist() == expected
    assert torch.equal(reverse_within(reverse_within(x, sizes), sizes), x)


def test_the_gradient_of_a_reversal() -> None:
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([4, 0, 3])
    assert torch.autograd.gradcheck(lambda x: reverse_within(x, lengths), (x,))


def test_sequences_that_are_not_contiguous() -> None:
    x = torch.randn(5, 2, 3).transpose(0, 1)
    torch.testing.assert_close(reverse_within(x, torch.tensor([5, 5])), x.flip(1), rtol=0, atol=0)
