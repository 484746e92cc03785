"""Weights as 8-bit integers with a scale for each row.

Source: Wu et al. 2020, "Integer quantization for deep learning inference: principles and empirical
evaluation" (symmetric, one scale per row).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 127
"""The integers go from minus to plus this value."""
MANTISSA_BITS = 17
"""Significant bits of a scale. With 7 bits of an integer they fit the 24 bits of fp32, so the product of both
is exact, and quantising dequantised weights returns the same integers and scales."""


def is_quantisable(weight: NDArray[Any]) -> bool:
    """Whether an array is a matrix of finite numbers; others, such as biases, keep their type."""
    return np.issubdtype(weight.dtype, np.floating) and weight.ndim > 1 and bool(np.isfinite(weight).all())


def quantise(weight: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to multiples of its largest absolute value divided by 127.

    Args:
        weight: fp32 `[N, ...]`; the error of a value is at most half the scale of its row.
    Returns:
        the integers, int8 `[N, ...]`, and the scales, fp32 `[N]`.
    Example:
        >>> integers, scales = quantise(np.array([[1.27, -0.5], [0.0, 0.0]]))
        >>> integers.tolist(), [round(scale, 6) for scale in scales.tolist()]
        ([[127, -50], [0, 0]], [0.01, 1.0])
    """
    rows = weight.astype(np.float32).reshape(len(weight), -1 if weight.size else 0)
    scales = np.abs(rows).max(axis=1, initial=0.0) / np.float32(LEVELS)
    dropped = 24 - MANTISSA_BITS
    bits = scales.view(np.int32) + (1 << (dropped - 1))
    scales = (bits & -(1 << dropped)).view(np.float32)
    scales[scales == 0] = 1.0
    integers = np.clip(np.round(rows / scales[:, None]), -LEVELS, LEVELS).astype(np.int8)
    return integers.reshape(weight.shape), scales


def is_quantised(integers: NDArray[Any], scales: NDArray[Any]) -> bool:
    """Whether two arrays have the types and shapes of the results of `quantise`."""
    has_types = integers.dtype == np.int8 and scales.dtype == np.float32
    return has_types and integers.ndim > 1 and scales.shape == integers.shape[:1]


def dequantise(integers: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the weights `[N, ...]` in fp32 from the results of `quantise`."""
    return integers * scales.reshape(-1, *[1] * (integers.ndim - 1))
