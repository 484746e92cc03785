"""Masks and reversal within lengths, compared with Python lists."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.nn import length_mask, reverse_sequence


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.integers(0, 2))
def test_masks_and_reversal_equal_python_lists(lengths: list[int], extra: int) -> None:
    frames = max(lengths) + extra
    x = torch.randn(len(lengths), frames, 2)
    sizes = torch.tensor(lengths)
    assert length_mask(sizes, frames).tolist() == [[t < n for t in range(frames)] for n in lengths]
    expected = [row[:n][::-1] + row[n:] for row, n in zip(x.tolist(), lengths, strict=True)]
    assert reverse_sequence(x, sizes).tolist() == expected
    assert torch.equal(reverse_sequence(reverse_sequence(x, sizes), sizes), x)


def test_gradient_of_reversal() -> None:
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([4, 0, 3])
    assert torch.autograd.gradcheck(lambda x: reverse_sequence(x, lengths), (x,))


def test_non_contiguous_input() -> None:
    x = torch.randn(5, 2, 3).transpose(0, 1)
    torch.testing.assert_close(reverse_sequence(x, torch.tensor([5, 5])), x.flip(1), rtol=0, atol=0)
