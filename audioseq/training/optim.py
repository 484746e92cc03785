"""Optimiser, learning rate schedule and flat gradient vector."""

from __future__ import annotations

import getpass
import os

import torch
from torch import nn

from audioseq.training.config import TrainingConfig

FINAL_RATE_FRACTION = 0.01
"""Learning rate at the end of a run, as a fraction of the peak."""


def learning_rate(config: TrainingConfig, update: int, progress: float) -> float:
    """Return the learning rate of an update: linear warm-up, constant, linear decay to a hundredth.

    The rate depends only on the position in the run, so a run can be extended from any point.
    Source: Hu et al. 2024 (MiniCPM), section 4.

    Args:
        config: options of the run.
        update: number of updates before this one.
        progress: fraction of the whole run before this update, 0 to 1.
    Example:
        >>> config = TrainingConfig(learning_rate=1.0, warmup=10, decay=0.5)
        >>> [round(learning_rate(config, int(100 * part), part), 3) for part in (0, 0.04, 0.5, 0.75, 1)]
        [0.1, 0.5, 1.0, 0.505, 0.01]
    """
    warmup = min(1.0, (update + 1) / config.warmup) if config.warmup else 1.0
    decay = min(1.0, (1 - progress) / config.decay) if config.decay else 1.0
    scale = FINAL_RATE_FRACTION + (1 - FINAL_RATE_FRACTION) * max(0.0, decay)
    return config.learning_rate * warmup * scale


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters, with weight decay on matrices but not on 1-D parameters.

    Source: Loshchilov & Hutter 2019.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    _name_user()
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def _name_user() -> None:
    """Name a user without a name, as in containers: the first optimiser imports a module that needs one."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = str(os.getuid())


class Gradients:
    """All gradients of a model in one vector, followed by the counts of an update.

    Each parameter's `.grad` is a view into the vector. Reduction over processes, norm and scaling each take
    one operation, and the reduction includes the counts.

    Args:
        model: its trainable parameters must have one dtype and must already be on their device.
        counts: number of counts after the gradients.
    """

    def __init__(self, model: nn.Module, counts: int) -> None:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        size = sum(parameter.numel() for parameter in parameters)
        self.vector = torch.zeros(size + counts, device=parameters[0].device, dtype=parameters[0].dtype)
        self.gradient, self.counts = self.vector[:size], self.vector[size:]
        pieces = self.gradient.split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)

    def clip(self, max_norm: float) -> float:
        """Scale the gradient to a norm of at most `max_norm`, and return the norm before."""
        norm = float(torch.linalg.vector_norm(self.gradient))
        if norm > max_norm:
            self.gradient.mul_(max_norm / norm)
        return norm
