"""Training: one loop for every application."""

from audioseq.training.config import TrainingConfig
from audioseq.training.loop import TrainingResult, fit
from audioseq.training.task import Loss, Task

__all__ = ["Loss", "Task", "TrainingConfig", "TrainingResult", "fit"]
