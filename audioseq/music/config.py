"""What a music recipe's `config.toml` may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audioseq.config import Config
from audioseq.music.representation.augment import MusicAugment
from audioseq.training import TrainingConfig

Size = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0, lt=1)]


class ModelConfig(Config):
    """The network; the meaning of each value is told in `MusicModel`."""

    cell: Literal["gru", "lstm"] = "lstm"
    width: Size = 192
    look_width: Size = 64
    hidden_size: Size = 448
    num_layers: Size = 2
    dropout: Weight = 0.1


class DataConfig(Config):
    """Manifests (relative to the working directory) and how pieces become batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    cache: Path | None = None
    """File for the events of all pieces; without it each run reads the MIDI files anew."""
    streams: Size = 32
    """Pieces that are read side by side; an update is one stretch of each."""
    stretch: Size = 128
    """Events in a stretch: how far gradients reach back. The state goes on from stretch to stretch."""
    repeats: dict[str, Size] = Field(default_factory=dict)
    """How often the pieces of a style come in an epoch, if not once."""


class MusicConfig(Config):
    """A music recipe: the next event of a piece, from those before."""

    task: Literal["music"] = "music"
    data: DataConfig
    model: ModelConfig = ModelConfig()
    augment: MusicAugment | None = MusicAugment()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """What the model files say beside what training itself knows: data, licences, limits."""
