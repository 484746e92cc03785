"""A tiny language, and tiny models of it with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.language.config import DataConfig, LanguageConfig, ModelConfig
from audioseq.language.model import build
from audioseq.language.units import Units
from audioseq.language.vocabulary import Vocabulary
from audioseq.text.subwords import SubwordTokenizer
from audioseq.text.tokenizer import CharTokenizer
from audioseq.training import TrainingConfig

ALPHABET = " abc"
TEXTS = ["ab ab abc", "abc cab", "bab ab", "c abc abc ab", "cab cab bab", "ab c"]
UNITS = {
    "words": Units(Vocabulary(("<unk>", "<s>", "</s>", "ab", "abc", "cab", "bab"))),
    "subwords": Units(SubwordTokenizer.learn(TEXTS, 12, ALPHABET)),
    "characters": Units(CharTokenizer(ALPHABET)),
}
MODEL = ModelConfig(embedding_size=6, hidden_size=8, num_layers=2)


def config(model: ModelConfig = MODEL, **training: Any) -> LanguageConfig:
    """Return a recipe for the tiny model, without texts and tokens."""
    options = {"learning_rate": 2e-2, "warmup": 5, "precision": "fp32", **training}
    return LanguageConfig(
        alphabet=ALPHABET,
        data=DataConfig(train=(), valid=(), streams=3, window=4),
        model=model,
        training=TrainingConfig.model_validate(options),
    )


def save(path: Path, kind: str) -> Path:
    """Save an untrained model with large weights, for peaked probabilities."""
    torch.manual_seed(3)
    model = build(config(), UNITS[kind])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    header = Header("language", config().model_dump(mode="json"), tokenizer=UNITS[kind].to_dict())
    checkpoint.save(path, model.state_dict(), header)
    return path
