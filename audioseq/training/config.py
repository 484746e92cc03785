"""Options of a recipe's `[training]` table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from audioseq.config import Config, Count, Fraction, Size


class TrainingConfig(Config):
    """Options of the training loop, common to all tasks."""

    seed: Count = 1
    epochs: Annotated[float, Field(gt=0)] = 10.0
    """Passes over the data; may be fractional, and may change when a run is resumed."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Peak learning rate, constant between warm-up and decay."""
    warmup: Count = 100
    """Updates of linear increase to the peak."""
    decay: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Final fraction of the run, in which the rate decreases linearly to a hundredth of the peak."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    betas: tuple[Fraction, Fraction] = (0.9, 0.98)
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Maximum norm of the gradient of the mean loss; a larger gradient is scaled down."""
    accumulate: Size = 1
    """Batches per update."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    average: Size = 1
    """Number of validated models, counted from the last, to average at the end; 1 disables averaging."""
    patience: Count = 0
    """Validations without a better metric after which training stops; 0 disables early stopping."""
    validate_every: Annotated[float, Field(gt=0)] = 1.0
    """Epochs between validations."""
    save_every: Size = 200
    """Updates between saves of the training state."""
    save_minutes: Annotated[float, Field(ge=0)] = 0.0
    """Minutes after which the training state is saved as well; 0: only after `save_every` updates."""
    workers: Count = 0
    """Processes that prepare batches; 0 prepares them in the main process."""
    tensorboard: bool = False
