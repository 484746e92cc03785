"""The config of a music recipe, read from its `config.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from audioseq.config import Config, Fraction, Layers, Size
from audioseq.music.representation.augment import MusicAugment
from audioseq.training import TrainingConfig


class ModelConfig(Config):
    """The network; see `MusicModel`."""

    cell: Literal["gru", "lstm"] = "lstm"
    width: Size = 192
    look_width: Size = 64
    hidden_size: Size = 448
    num_layers: Layers = 2
    dropout: Fraction = 0.1


class DataConfig(Config):
    """Manifests (relative to the working directory), and how pieces become batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    cache: Path | None = None
    """File for the events of all pieces; without it, each run reads the MIDI files."""
    streams: Size = 32
    """Batch size: pieces that are read in parallel. A batch holds one window of each."""
    stretch: Size = 128
    """Events in a window of truncated backpropagation through time. The state is carried between windows."""
    repeats: dict[str, Size] = Field(default_factory=dict)
    """How often the pieces of a style occur in an epoch; by default once."""


class MusicConfig(Config):
    """A music recipe: predict the next event of a piece from those before."""

    task: Literal["music"] = "music"
    data: DataConfig
    model: ModelConfig = ModelConfig()
    augment: MusicAugment | None = MusicAugment()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """Fields of the model card beside those that training adds: data, licences, limits."""
