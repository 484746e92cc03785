"""Weights as 8-bit integers with a scale for each row.

Source: Wu et al. 2020, "Integer quantization for deep learning inference: principles and empirical
evaluation" (symmetric, one scale per row).
"""

from __future__ import annotations

import torch
from torch import Tensor

LEVELS = 127
"""The integers go from minus to plus this value."""
MANTISSA_BITS = 17
"""Significant bits of a scale. With 7 bits of an integer they fit the 24 bits of fp32, so the product of both
is exact, and quantising dequantised weights returns the same integers and scales."""


def is_quantisable(weight: Tensor) -> bool:
    """Whether a tensor is a matrix of finite numbers; others, such as biases, keep their type."""
    return weight.is_floating_point() and weight.dim() > 1 and bool(weight.isfinite().all())


def quantise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round each row to multiples of its largest absolute value divided by 127.

    Args:
        weight: fp32 `[N, ...]`; the error of a value is at most half the scale of its row.
    Returns:
        the integers, int8 `[N, ...]`, and the scales, fp32 `[N]`.
    Example:
        >>> integers, scales = quantise(torch.tensor([[1.27, -0.5], [0.0, 0.0]]))
        >>> integers.tolist(), [round(scale, 6) for scale in scales.tolist()]
        ([[127, -50], [0, 0]], [0.01, 1.0])
    """
    rows = weight.float().flatten(1)
    scales = rows.abs().amax(1) / LEVELS if rows.numel() else rows.new_zeros(len(rows))
    dropped = 24 - MANTISSA_BITS
    bits = scales.view(torch.int32) + (1 << (dropped - 1))
    scales = (bits & -(1 << dropped)).view(torch.float32)
    scales[scales == 0] = 1.0
    integers = (rows / scales[:, None]).round().clamp(-LEVELS, LEVELS).to(torch.int8)
    return integers.view(weight.shape), scales


def is_quantised(integers: Tensor, scales: Tensor) -> bool:
    """Whether two tensors have the types and shapes of the results of `quantise`."""
    types = integers.dtype, scales.dtype
    return types == (torch.int8, torch.float32) and integers.dim() > 1 and scales.shape == integers.shape[:1]


def dequantise(integers: Tensor, scales: Tensor) -> Tensor:
    """Return the weights `[N, ...]` in fp32 from the results of `quantise`."""
    return integers * scales.view(-1, *[1] * (integers.dim() - 1))
