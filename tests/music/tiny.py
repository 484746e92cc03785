"""A tiny music model with random weights, and random pieces, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.midi import Note, Score
from audioseq.music.config import DataConfig, ModelConfig, MusicConfig
from audioseq.music.data.examples import Example
from audioseq.music.generation.stepper import EventStep
from audioseq.music.model import MusicModel, build
from audioseq.music.pipeline import Composer
from audioseq.music.representation.grid import Piece, to_grid
from audioseq.music.representation.tokenizer import conditions_of, encode
from audioseq.music.task import MusicTask
from audioseq.training import TrainingConfig
from tests.arrays import to_arrays

MODEL = ModelConfig(width=16, look_width=8, hidden_size=24, num_layers=2, dropout=0.0)


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores off the grid, with changes of meter and tempo and several instruments."""
    notes = draw(
        st.lists(
            st.builds(
                Note,
                pitch=st.integers(0, 127),
                velocity=st.integers(1, 127),
                onset=st.floats(0, 20),
                duration=st.floats(0.02, 9),
                program=st.sampled_from((0, 40, 52)),
                drum=st.booleans(),
                track=st.integers(0, 11),
            ),
            min_size=1,
            max_size=40,
        )
    )
    bpm, later = draw(st.floats(40, 200)), draw(st.floats(40, 200))
    meters = st.sampled_from(((4, 4), (3, 4), (6, 8), (19, 8), (1, 32), (5, 16), (22, 4)))
    first, second = draw(meters), draw(meters)
    return Score(tuple(notes), ((0.0, bpm), (5.0, later)), ((0.0, *first), (7.0, *second)))


def song(seed: int = 0, bars: int = 6) -> Piece:
    """A random melody over chords."""
    random = np.random.default_rng(seed)
    notes = []
    for bar in range(bars):
        for beat in range(4):
            pitch = 60 + int(random.choice((0, 2, 4, 5, 7, 9, 11, 12)))
            notes.append(Note(pitch, 80, 2.0 * bar + 0.5 * beat, 0.5, track=0))
        for pitch in (36, 48, 52):
            notes.append(Note(pitch, 60, 2.0 * bar, 2.0, track=1))
    return to_grid(Score(tuple(notes)))


def examples(count: int = 4, bars: int = 6) -> list[Example]:
    """A few pieces as events, alternating between the four styles."""
    pieces = [song(seed, bars) for seed in range(count)]
    return [
        Example(f"song {i}", encode(piece), conditions_of(piece, i % 4)) for i, piece in enumerate(pieces)
    ]


def config(**training: object) -> MusicConfig:
    """A recipe with short windows."""
    data = DataConfig(train=(), valid=(), streams=2, stretch=16)
    return MusicConfig(data=data, model=MODEL, training=TrainingConfig(**training))  # type: ignore[arg-type]


def task(**training: object) -> MusicTask:
    """A task with a few training pieces and a validation piece."""
    return MusicTask(config(**training), examples(), examples(5)[4:])


def header() -> Header:
    """Header of the tiny model."""
    return task().header({})


def network(seed: int = 0, scale: float = 3.0, model: ModelConfig = MODEL) -> MusicModel:
    """An untrained network; a large scale of its random weights gives peaked distributions."""
    torch.manual_seed(seed)
    made = build(model).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(scale)
    return made


def step(network: MusicModel, model: ModelConfig = MODEL) -> EventStep:
    """The network in NumPy."""
    return EventStep(to_arrays(network), model)


def composer(seed: int = 0, scale: float = 3.0) -> Composer:
    """An untrained composer."""
    return Composer(step(network(seed, scale)), header())


def model_file(path: Path) -> Path:
    """Write the tiny model to a file."""
    torch.manual_seed(0)
    checkpoint.save(path, build(MODEL).state_dict(), header())
    return path
