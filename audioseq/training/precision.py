"""Choice of the floating-point precision for training; bf16 support is tested by running a small LSTM."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch


def choose_precision(requested: str, device: torch.device, log: Callable[[str], None]) -> torch.dtype:
    """Return the precision to compute in, bfloat16 or float32.

    An LSTM in bf16 raises an error on CPUs with AVX2 only, and no property of the CPU indicates it.

    Args:
        requested: `auto` and `bf16` select bf16 if it works; `fp32` does not test it.
        device: device to train on.
        log: receives one line if bf16 does not work.
    """
    if requested == "fp32":
        return torch.float32
    reason = _bf16_error(device)
    if reason is None:
        return torch.bfloat16
    log(f"training in fp32: bf16 does not work on this {device.type} ({reason})")
    return torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[None]:
    """Return the context manager in which to compute a loss."""
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)


def _bf16_error(device: torch.device) -> str | None:
    """Run a small LSTM forward and backward in bf16; return the error message in one line, or None."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "the GPU does not support it"
    try:
        layer = torch.nn.LSTM(8, 8, batch_first=True).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            y, _ = layer(torch.ones(2, 3, 8, device=device))
        y.float().sum().backward()
    except RuntimeError as error:
        return str(error).partition(". ")[0].splitlines()[0]
    return None
