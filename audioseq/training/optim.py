"""The optimiser, the learning rate, and the gradients as one vector."""

from __future__ import annotations

import torch
from torch import nn

from audioseq.training.config import TrainingConfig

FLOOR = 0.01
"""The share of the peak learning rate at which a run ends."""


def learning_rate(config: TrainingConfig, update: int, done: float) -> float:
    """Return the learning rate of an update: linear warm-up, constant, linear decay to a hundredth.

    It depends on nothing but where the run is, so a longer run goes on from any point of a shorter one.
    Source: Hu et al. 2024 (MiniCPM), section 4.

    Args:
        update: number of updates before this one.
        done: share of the whole run before this update, 0 to 1.
    Example:
        >>> config = TrainingConfig(learning_rate=1.0, warmup=10, decay=0.5)
        >>> [round(learning_rate(config, int(100 * done), done), 3) for done in (0, 0.04, 0.5, 0.75, 1)]
        [0.1, 0.5, 1.0, 0.505, 0.01]
    """
    warm = min(1.0, (update + 1) / config.warmup) if config.warmup else 1.0
    left = min(1.0, (1 - done) / config.decay) if config.decay else 1.0
    return config.learning_rate * warm * (FLOOR + (1 - FLOOR) * max(0.0, left))


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters; weights decay, biases and gains (1-D) do not.

    Source: Loshchilov & Hutter 2019.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)


class Gradients:
    """All gradients of a model in one vector, with room for the counts of an update behind them.

    Each parameter's `.grad` is a view into the vector. To sum it over processes, to measure it or to scale it
    takes one operation, and the counts travel with it.

    Args:
        model: its trainable parameters must have one dtype and be on their device already.
        counts: how many numbers follow the gradients.
    """

    def __init__(self, model: nn.Module, counts: int) -> None:
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        size = sum(parameter.numel() for parameter in parameters)
        self.vector = torch.zeros(size + counts, device=parameters[0].device, dtype=parameters[0].dtype)
        self.gradient, self.counts = self.vector[:size], self.vector[size:]
        pieces = self.gradient.split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            parameter.grad = piece.view_as(parameter)

    def clip(self, limit: float) -> float:
        """Scale the gradient down to a norm of at most `limit`, and return the norm that it had."""
        norm = float(torch.linalg.vector_norm(self.gradient))
        if norm > limit:
            self.gradient.mul_(limit / norm)
        return norm
