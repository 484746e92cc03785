"""A tiny harmony model with random weights, and melodies, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.midi import Note, Score
from audioseq.music.harmony.config import DataConfig, HarmonyConfig, ModelConfig
from audioseq.music.harmony.model import HarmonyModel, build
from audioseq.music.harmony.pipeline import Harmoniser

MODEL = ModelConfig(width=4, reading_size=6, reading_layers=1, hidden_size=8, head_size=8, dropout=0.0)
CONFIG = HarmonyConfig(data=DataConfig(train=(), valid=()), model=MODEL)


def model(seed: int = 0, scale: float = 2.0) -> HarmonyModel:
    """Return a model with large random weights, for peaked probabilities."""
    torch.manual_seed(seed)
    network = build(MODEL).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    return network


def header() -> Header:
    """Return the header of the tiny model."""
    return Header("harmony", CONFIG.model_dump(mode="json"))


def harmoniser(seed: int = 0, scale: float = 2.0) -> Harmoniser:
    """Return a harmoniser with the tiny model."""
    return Harmoniser(model(seed, scale), header(), torch.device("cpu"))


def model_file(path: Path) -> Path:
    """Write the tiny model."""
    checkpoint.save(path, model().state_dict(), header())
    return path


def melody(*notes: tuple[int, float, float], bpm: float = 120.0) -> Score:
    """Return a melody of (pitch, onset, duration) with times in quarters."""
    beat = 60 / bpm
    return Score(
        tuple(Note(pitch, 80, onset * beat, length * beat) for pitch, onset, length in notes), ((0.0, bpm),)
    )


def scale(pitches: Sequence[int] = (67, 69, 71, 72)) -> Score:
    """Return a melody of quarter notes."""
    return melody(*((pitch, float(beat), 1.0) for beat, pitch in enumerate(pitches)))


@st.composite
def melodies(draw: st.DrawFn) -> Score:
    """Generate one voice off the grid, with tempo changes, rests, and notes of any length without overlap."""
    lowest = draw(st.integers(24, 80))
    count = draw(st.integers(1, 20))
    notes, at = [], draw(st.floats(0, 3))
    for _ in range(count):
        at += draw(st.sampled_from((0.0, 0.0, 0.0, 0.07, 0.5, 3.0)))
        length = draw(st.floats(0.05, 2))
        pitch = lowest + draw(st.integers(0, 40))
        notes.append(Note(pitch, draw(st.integers(1, 127)), at, length, program=52))
        at += length
    return Score(tuple(notes), ((0.0, draw(st.floats(50, 160))), (4.0, draw(st.floats(50, 160)))))
