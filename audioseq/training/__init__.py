"""Training loop shared by all applications."""

from audioseq.training.config import TrainingConfig
from audioseq.training.loop import TrainingResult, fit
from audioseq.training.task import CarriesState, GivesAdvice, HasConfig, Loss, Task

__all__ = [
    "CarriesState", "GivesAdvice", "HasConfig", "Loss", "Task", "TrainingConfig", "TrainingResult", "fit",
]  # fmt: skip
