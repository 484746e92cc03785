"""Training loop shared by all applications.

Names are imported on first use: the options of training, which a model file contains, are read without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audioseq.training.config import TrainingConfig
    from audioseq.training.loop import TrainingResult, fit
    from audioseq.training.task import CarriesState, GivesAdvice, HasConfig, Loss, Task

__all__ = [
    "CarriesState", "GivesAdvice", "HasConfig", "Loss", "Task", "TrainingConfig", "TrainingResult", "fit",
]  # fmt: skip

_MODULES = {"TrainingConfig": "config", "TrainingResult": "loop", "fit": "loop"}
"""Modules of the names; the others are those of `task`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'audioseq.training' has no attribute {name!r}")
    module = importlib.import_module(f"audioseq.training.{_MODULES.get(name, 'task')}")
    value = globals()[name] = getattr(module, name)
    return value
