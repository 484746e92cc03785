"""The `config.toml` of a model that restores punctuation and case."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from audioseq.config import Config, Fraction, Layers, Size
from audioseq.training import TrainingConfig


class ModelConfig(Config):
    """The network; `PunctuationModel` describes each value."""

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm"] = "lstm"
    embedding_size: Size = 160
    hidden_size: Size = 160
    num_layers: Layers = 2
    dropout: Fraction = 0.1


class DataConfig(Config):
    """Texts with punctuation and case, a paragraph a line, an empty line between books; and the examples."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    errors: Path | None = None
    """Errors of a recogniser, as `recipes/english-punctuation/prepare.py` writes them; None trains on texts
    without errors."""
    pauses: Path | None = None
    """Pauses after each mark, written by the same script; None trains without pauses."""
    words: Size = 120
    """Longest example in words."""
    batch_words: Size = 6000
    """Words in a batch, including padding."""
    error_share: Fraction = 0.5
    """Share of the examples that get errors."""
    pause_share: Fraction = 0.5
    """Share of the examples that get pauses."""


class PunctuationConfig(Config):
    """A recipe for a model that labels each word with its case and the mark after it."""

    task: Literal["punctuation"] = "punctuation"
    subwords: Annotated[int, Field(ge=0, le=20000)] = 4000
    """Number of subwords to learn, unless they come from a language model."""
    embeddings: str | None = None
    """Language model that provides the subwords, and their embeddings reduced by principal components."""
    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    forms: dict[str, str] = Field(default_factory=dict)
    """Written forms of words in mixed case; learnt from the training texts."""
    names: dict[str, str] = Field(default_factory=dict)
    """Written forms of names and abbreviations that are no other words, such as NASA, for every label."""
    mark_bias: dict[str, float] = Field(default_factory=dict)
    """Added to the scores of the marks, by name; chosen on validation texts."""
    case_bias: dict[str, float] = Field(default_factory=dict)
    """Added to the scores of the cases, by name; chosen on validation texts."""
    card: dict[str, Any] = Field(default_factory=dict)
    """Entries of the model card that training does not fill in: data, licences, limits."""
