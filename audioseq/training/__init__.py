"""Training: one loop for every application."""

from audioseq.training.config import TrainingConfig
from audioseq.training.loop import Result, fit
from audioseq.training.task import Loss, Task

__all__ = ["Loss", "Result", "Task", "TrainingConfig", "fit"]
