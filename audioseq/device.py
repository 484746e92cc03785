"""Choosing a device: CPU, CUDA or MPS."""

from __future__ import annotations

import os

import torch

from audioseq.errors import ConfigError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device with a name; `auto` is a GPU if available, and under torchrun one per process.

    Raises:
        ConfigError: there is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # from torch, for a missing device
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ConfigError(f"device {name}: is not available ({reason}); try cpu") from None
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
