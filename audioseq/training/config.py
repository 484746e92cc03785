"""What a recipe's `[training]` table may say."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from audioseq.config import Config

Count = Annotated[int, Field(ge=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class TrainingConfig(Config):
    """How a model is trained, whatever the task."""

    seed: Count = 1
    epochs: Annotated[float, Field(gt=0)] = 10.0
    """Passes over the data; may be a fraction, and may change when a run is resumed."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """The peak, held between warm-up and decay."""
    warmup: Count = 100
    """Updates of linear growth to the peak."""
    decay: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Share of the run, at its end, over which the rate falls linearly to a hundredth of the peak."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of the gradient (of the mean loss); a longer one is scaled down to it."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches to an update."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    average: Annotated[int, Field(ge=1)] = 1
    """The last so many validated models are averaged at the end; 1 is no average."""
    patience: Count = 0
    """Validations without a better metric after which training ends; 0 is never."""
    validate_every: Annotated[float, Field(gt=0)] = 1.0
    """Epochs between validations."""
    save_every: Annotated[int, Field(ge=1)] = 200
    """Updates between saves of the training state."""
    workers: Count = 0
    """Processes that prepare batches; 0 prepares them in between."""
    tensorboard: bool = False
