"""The `config.toml` of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from audioseq.config import Config, Count, Fraction, Layers, Size
from audioseq.text.tokenizer import DEFAULT_ALPHABET
from audioseq.training import TrainingConfig


class ModelConfig(Config):
    """The network; `LanguageModel` describes each value."""

    cell: Literal["rnn_tanh", "rnn_relu", "gru", "lstm"] = "lstm"
    embedding_size: Size = 256
    hidden_size: Size = 416
    num_layers: Layers = 2
    dropout: Fraction = 0.0
    embedding_dropout: Fraction = 0.0
    weight_drop: Fraction = 0.0
    tied: bool = True


class DataConfig(Config):
    """Texts, one sentence a line, with paths relative to the working directory, and the batches."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...]
    streams: Size = 32
    """Parallel streams of sentences in one update over all processes."""
    window: Size = 64
    """Tokens of each stream in one update. Gradients stop at the window's start, the state does not."""


class LanguageConfig(Config):
    """A recipe for a language model: predict each token from the tokens before it."""

    task: Literal["language"] = "language"
    alphabet: str = DEFAULT_ALPHABET
    words: Count = 0
    """Number of words in the vocabulary, the most frequent ones; other words are `<unk>`."""
    subwords: Annotated[int, Field(ge=0, le=20000)] = 0
    """Number of subwords in the vocabulary. With neither words nor subwords, characters are the tokens."""
    data: DataConfig
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    card: dict[str, Any] = Field(default_factory=dict)
    """Entries of the model card that training does not fill in: data, licences, limits."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.words and self.subwords:
            raise ValueError("a model has words or subwords, not both; set one of them to 0")
        return self
