"""The `config.toml` of a model of four-part harmony."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audioseq.config import Config, Fraction, Layers, Size
from audioseq.training import TrainingConfig


class ModelConfig(Config):
    """The network; `HarmonyModel` describes each value."""

    cell: Literal["gru", "lstm"] = "lstm"
    width: Size = 32
    reading_size: Size = 96
    reading_layers: Layers = 2
    hidden_size: Size = 224
    num_layers: Layers = 1
    head_size: Size = 128
    dropout: Fraction = 0.3


class DataConfig(Config):
    """Manifests, relative to the working directory, and the batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    sixteenths_per_batch: Size = 2048
    """Maximum size of a batch, including padding."""
    transpose: Annotated[int, Field(ge=0, le=11)] = 6
    """Maximum transposition up or down in semitones, within the ranges of the voices."""


class HarmonyConfig(Config):
    """A recipe for a model that harmonises melodies with alto, tenor and bass."""

    task: Literal["harmony"] = "harmony"
    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """Entries of the model card that training does not fill in: data, licences, limits."""
