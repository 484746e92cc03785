"""A tiny language that a tiny model learns in seconds: letters are tones, spaces are pauses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from audioseq import audio
from audioseq.data import Utterance
from audioseq.speech.config import DataConfig, ModelConfig, SpeechConfig
from audioseq.training import TrainingConfig

TONES = {"a": 500.0, "b": 1000.0, "c": 2000.0, "d": 4000.0}
"""Frequency of each letter in Hz."""
MODEL = ModelConfig(
    n_mels=20, channels=(16, 24), lower_layers=1, lower_size=24, upper_layers=1, upper_size=24, dropout=0
)


def say(text: str, seconds: float = 0.16) -> np.ndarray:
    """Return the waveform `[N]` of a text: a tone for half of each letter's time, then a pause."""
    time = np.arange(int(seconds / 2 * audio.SAMPLE_RATE)) / audio.SAMPLE_RATE
    letters = [np.sin(2 * np.pi * TONES.get(letter, 0.0) * time) * 0.3 for letter in text]
    return np.concatenate([np.concatenate([tone, 0 * tone]) for tone in letters]).astype(np.float32)


def utterances(folder: Path, texts: list[str]) -> list[Utterance]:
    """Write recordings of texts to a directory."""
    made = []
    for text in texts:
        path = folder / f"{text.replace(' ', '_')}.wav"
        audio.write(path, say(text), audio.SAMPLE_RATE)
        made.append(Utterance(path.stem, path, len(say(text)) / audio.SAMPLE_RATE, text))
    return made


def config(**training: object) -> SpeechConfig:
    """Return a recipe for the tiny model."""
    return SpeechConfig(
        data=DataConfig(train=(), valid=(), seconds_per_batch=8, min_seconds=0.1),
        model=MODEL,
        wave_augment=None,
        spec_augment=None,
        # In fp32, so that it learns the same on processors with and without bf16.
        training=TrainingConfig.model_validate(
            {"learning_rate": 1e-2, "warmup": 5, "precision": "fp32", **training}
        ),
    )
