"""Weights of torch modules as the parts of the package that do without torch take them."""

from __future__ import annotations

import numpy as np
from torch import nn


def to_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the state dict of a module as arrays."""
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}
