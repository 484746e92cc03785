"""A tiny model with random weights that restores punctuation and case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.language.punctuation.config import DataConfig, ModelConfig, PunctuationConfig
from audioseq.language.punctuation.model import build
from audioseq.language.punctuation.pipeline import Punctuator, load_punctuator
from audioseq.text.subwords import SubwordTokenizer

TOKENIZER = SubwordTokenizer.learn(["the cat sat on the mat", "that hat is flat"], 70)


def config(**model: Any) -> PunctuationConfig:
    """Return the config of the tiny model."""
    sizes = {"embedding_size": 6, "hidden_size": 5, "num_layers": 2, **model}
    return PunctuationConfig(
        data=DataConfig(train=(), valid=()),
        model=ModelConfig.model_validate(sizes),
        forms={"mcdonald": "McDonald", "mr": "Mr."},
    )


def save(path: Path, **model: Any) -> Path:
    """Save an untrained model with large weights, so that its labels vary."""
    torch.manual_seed(2)
    made = config(**model)
    network = build(made, TOKENIZER.size)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)
    header = Header("punctuation", made.model_dump(mode="json"), tokenizer=TOKENIZER.to_dict())
    checkpoint.save(path, network.state_dict(), header)
    return path


def punctuator(folder: Path, **model: Any) -> Punctuator:
    """Return an untrained model."""
    return load_punctuator(save(folder / "tiny.safetensors", **model), "cpu")
