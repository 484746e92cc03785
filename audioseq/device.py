"""Choice of a device: CPU, CUDA or MPS."""

from __future__ import annotations

import os

import torch

from audioseq.errors import ConfigError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of a name: `auto` is a GPU where there is one, under torchrun each process its own.

    Raises:
        ConfigError: the device does not exist.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device that is not there
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ConfigError(f"cannot compute on the device {name}: {reason}; try cpu") from None
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
