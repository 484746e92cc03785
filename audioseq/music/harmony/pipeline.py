"""Harmonise melodies in four parts with a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from audioseq import __version__
from audioseq.checkpoint import Header
from audioseq.device import choose_device
from audioseq.errors import ConfigError, DataError
from audioseq.midi import Note, Score
from audioseq.models import open_model
from audioseq.music.generation.sampling import Sampling, resolve_seed
from audioseq.music.harmony.config import HarmonyConfig
from audioseq.music.harmony.generate import PartialHarmonisation, generate
from audioseq.music.harmony.melody import Melody, extract_melody
from audioseq.music.harmony.model import SOPRANO, HarmonyModel, build
from audioseq.music.representation.part_writing import VOICES

if TYPE_CHECKING:
    from audioseq.music.rendering.render import Sound

MAX_PIECES = 64
"""Harmonisations that are generated in one batch, at most."""
DEFAULT_SAMPLING = Sampling(temperature=0.5)


@dataclass(frozen=True)
class Harmonisation:
    """A melody with its lower voices.

    Args:
        score: soprano, alto, tenor and bass, a track each; the soprano is the original melody.
        seed: seed that reproduces the piece.
        number: index among the pieces of this seed, from 0.
        nats: negative log-likelihood per voice and sixteenth; lower is more probable.
        warnings: messages about the melody for the user, one line each.
    """

    score: Score
    seed: int
    number: int
    nats: float
    warnings: tuple[str, ...]

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; its text contains the seed."""
        self.score.save(path)

    def to_musicxml(self, path: str | Path, *, title: str = "") -> None:
        """Write sheet music; see `Score.to_musicxml`."""
        self.score.to_musicxml(path, title=title)

    def to_wav(self, path: str | Path, sound: Sound | None = None) -> None:
        """Write audio (.wav, .flac or .mp3), by default in stereo with reverberation."""
        from audioseq.music.rendering.render import write_audio  # loads scipy.signal

        write_audio(self.score, path, sound)

    def plot(self, path: str | Path) -> None:
        """Draw a piano roll (.png, .svg or .pdf)."""
        from audioseq.music.analysis.plot import piano_roll  # loads matplotlib

        piano_roll(self.score, Path(path))


class Harmoniser:
    """A trained model that harmonises melodies with alto, tenor and bass.

    Args:
        model: the network, with its weights.
        header: header of the model file.
        device: device to run on.
    """

    def __init__(self, model: HarmonyModel, header: Header, device: torch.device) -> None:
        self.model = model.to(device).eval()
        self.header = header

    def harmonise(
        self,
        score: Score,
        seed: int | None = None,
        *,
        count: int = 1,
        sampling: Sampling | None = None,
        best_of: int = 1,
        check: Callable[[], object] | None = None,
    ) -> list[Harmonisation]:
        """Harmonise a melody, `count` times in one batch.

        Args:
            score: music with a melody; see `extract_melody`.
            seed: 0 or more; equal seeds give equal pieces (same version, CPU). Random if not given.
            count: number of pieces.
            sampling: temperature, top-k and top-p; `DEFAULT_SAMPLING` if not given.
            best_of: number of candidates for each piece; the most probable one is returned.
            check: called before each sixteenth; an error that it raises stops the harmonisation.
        Raises:
            DataError: the score has no melody that can be harmonised.
            ConfigError: a value is out of range.
        """
        seed = resolve_seed(seed)
        for name, value in (("count", count), ("best-of", best_of), ("count times best-of", count * best_of)):
            if not 1 <= value <= MAX_PIECES:
                raise ConfigError(f"{name} is {value}; it must be in 1..{MAX_PIECES}")
        melody = extract_melody(score)
        candidates = [
            PartialHarmonisation(melody.pitches, np.random.default_rng(key), melody.ceiling)
            for key in product([seed], range(count), range(best_of))
        ]
        generate(self.model, candidates, sampling or DEFAULT_SAMPLING, check=check)
        pieces = []
        for number in range(count):
            best = min(candidates[number * best_of : (number + 1) * best_of], key=lambda piece: piece.nats)
            text = f"audioseq {__version__}: seed {seed}, piece {number}, harmonised"
            nats = best.nats / len(melody.pitches) / (len(VOICES) - 1)
            harmonised = to_score(melody, best.frames, text)
            pieces.append(Harmonisation(harmonised, seed, number, nats, melody.warnings))
        return pieces


def to_score(melody: Melody, frames: np.ndarray, text: str = "") -> Score:
    """Build the score of a melody and its lower voices.

    A pitch in consecutive frames is one note, repeated where the melody repeats its own note. The lower
    voices start and end with the notes of the melody, also off the grid, and have the same velocities.

    Args:
        melody: the melody.
        frames: generated pitches of the four voices in its frames `[T, 4]`.
        text: text to add to the score.
    """
    notes = list(melody.score.notes)
    # Held notes end where the melody repeats a note, and at gaps between frames.
    separate = np.ones(len(frames), bool)
    repeated = melody.has_onset[1:] & (melody.pitches[1:] == melody.pitches[:-1])
    separate[1:] = repeated | (melody.ends[:-1] != melody.starts[1:])
    for voice in range(SOPRANO + 1, len(VOICES)):
        pitches = np.where(melody.active, frames[:, voice] - melody.shift, -1)
        onsets = np.flatnonzero(separate | (np.diff(pitches, prepend=-1) != 0))
        for first, last in zip(onsets, [*(onsets[1:] - 1), len(frames) - 1], strict=True):
            pitch, velocity = int(pitches[first]), int(melody.velocities[first])
            start, end = float(melody.starts[first]), float(melody.ends[last])
            if pitch >= 0 and end > start:
                notes.append(Note(pitch, velocity, start, end - start, notes[0].program, track=voice))
    text = "\n".join(filter(None, (melody.score.text, text)))
    return replace(melody.score, notes=tuple(notes), names=VOICES, text=text)


def load_harmoniser(model: str | Path | None = None, device: str = "auto") -> Harmoniser:
    """Load a model of harmony by its name or path; the default model if not given.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(model, "harmony", HarmonyConfig)
    return Harmoniser(stored.restore(lambda: build(config.model)), stored.header, choose_device(device))


def harmonise(
    path: str | Path,
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    device: str = "auto",
    count: int = 1,
    sampling: Sampling | None = None,
    best_of: int = 1,
) -> list[Harmonisation]:
    """Harmonise the melody in a MIDI file; see `Harmoniser.harmonise`.

    Args:
        path: MIDI file with a melody.
        model: name of a model, or path of its file.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        AudioseqError: the file, its melody, the model or a value is invalid; the class says which.
    """
    score = Score.load(path, pedal=False)  # a pedal would turn the melody into chords
    harmoniser = load_harmoniser(model, device)
    try:
        return harmoniser.harmonise(score, seed, count=count, sampling=sampling, best_of=best_of)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def harmonise_melody(
    score: str | Path | Score, seed: int | None = None, *, model: str | Path | None = None, best_of: int = 1
) -> Harmonisation:
    """Harmonise a melody in four parts, in the style of Bach's chorales; see `Harmoniser.harmonise`.

    Args:
        score: music with a melody, or path of a MIDI file.
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `chorale`.
        best_of: number of candidates.
    Raises:
        AudioseqError: the model, the melody or a value is invalid.
    Example:
        `audioseq.harmonise("melody.mid", best_of=16).save("chorale.mid")`
    """
    if isinstance(score, Score):
        return load_harmoniser(model).harmonise(score, seed, best_of=best_of)[0]
    return harmonise(score, seed, model=model, best_of=best_of)[0]
