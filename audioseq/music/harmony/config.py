"""What a recipe for four-part harmony may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audioseq.config import Config
from audioseq.music.config import PositiveInt, Probability
from audioseq.training import TrainingConfig


class ModelConfig(Config):
    """The network; the meaning of each value is told in `HarmonyModel`."""

    cell: Literal["gru", "lstm"] = "lstm"
    width: PositiveInt = 32
    reading_size: PositiveInt = 96
    reading_layers: PositiveInt = 2
    hidden_size: PositiveInt = 224
    num_layers: PositiveInt = 1
    head_size: PositiveInt = 128
    dropout: Probability = 0.3


class DataConfig(Config):
    """Manifests (relative to the working directory) and how pieces become batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    sixteenths_per_batch: PositiveInt = 2048
    """Bound of a batch, padding counted."""
    transpose: Annotated[int, Field(ge=0, le=11)] = 6
    """Semitones, at most so many up or down, as far as the ranges of the voices leave room."""


class HarmonyConfig(Config):
    """A recipe for alto, tenor and bass to a melody."""

    task: Literal["harmony"] = "harmony"
    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """What the model files say beside what training itself knows: data, licences, limits."""
