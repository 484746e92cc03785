"""Which floating-point precision this device can train with: tried, not assumed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch


def choose_precision(wanted: str, device: torch.device, note: Callable[[str], None]) -> torch.dtype:
    """Return the precision to compute in, bfloat16 or float32.

    An LSTM in bf16 raises an error on CPUs with AVX2 only, and nothing but trying tells.

    Args:
        wanted: `auto` and `bf16` take bf16 where it works; `fp32` does not try.
        note: told in one line when bf16 does not work.
    """
    if wanted == "fp32":
        return torch.float32
    reason = _why_not_bf16(device)
    if reason is None:
        return torch.bfloat16
    note(f"training in fp32: bf16 does not work on this {device.type} ({reason})")
    return torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[None]:
    """Return the context in which a loss is computed."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, precision)


def _why_not_bf16(device: torch.device) -> str | None:
    """Run a tiny LSTM forward and backward in bf16; return what went wrong, in one line, if anything did."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "the GPU is too old for it"
    try:
        layer = torch.nn.LSTM(8, 8, batch_first=True).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            y, _ = layer(torch.ones(2, 3, 8, device=device))
        y.float().sum().backward()
    except RuntimeError as error:
        return str(error).partition(". ")[0].splitlines()[0]
    return None
