"""From a model file and a melody to a piece in four parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

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
from audioseq.music.harmony.voices import VOICES

MAX_PIECES = 64
DEFAULT_SAMPLING = Sampling(temperature=0.5)


@dataclass(frozen=True)
class Harmonisation:
    """A melody with its lower voices.

    Args:
        score: soprano, alto, tenor and bass, a track each; the soprano is the melody as it was given.
        seed: what makes the same again.
        number: which of the pieces of this seed, from 0.
        nats: of the model, per voice and sixteenth; lower is likelier.
        remarks: what the user should know of the melody, a line each.
    """

    score: Score
    seed: int
    number: int
    nats: float
    warnings: tuple[str, ...]

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; the seed is in it."""
        self.score.save(path)


class Harmoniser:
    """A trained model that writes alto, tenor and bass to melodies.

    Args:
        model: the network, with its weights.
        header: what the model file says about it.
        device: where it runs.
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
    ) -> list[Harmonisation]:
        """Harmonise a melody, several times at once.

        Args:
            score: music with a melody in it; see `melody.find`.
            seed: 0 or more; equal seeds give equal pieces (same version, CPU). Drawn if not given.
            count: pieces.
            sampling: how free the choice is; `USUAL` if not given.
            best_of: so many are written for each; the likeliest is kept.
        Raises:
            DataError: there is no melody in it that can be harmonised.
            ConfigError: a value is out of range.
        """
        seed = resolve_seed(seed)
        for name, value in (("count", count), ("best-of", best_of), ("count times best-of", count * best_of)):
            if not 1 <= value <= MAX_PIECES:
                raise ConfigError(f"{name} is {value}, but must be in 1..{MAX_PIECES} pieces")
        melody = extract_melody(score)
        drafts = [
            PartialHarmonisation(
                melody.pitches, np.random.default_rng([seed, number, attempt]), melody.ceiling
            )
            for number in range(count)
            for attempt in range(best_of)
        ]
        generate(self.model, drafts, sampling or DEFAULT_SAMPLING)
        found = []
        for number in range(count):
            best = min(drafts[number * best_of : (number + 1) * best_of], key=lambda draft: draft.nats)
            told = f"audioseq {__version__}: seed {seed}, piece {number}, harmonised"
            nats = best.nats / len(melody.pitches) / (len(VOICES) - 1)
            found.append(
                Harmonisation(to_score(melody, best.frames, told), seed, number, nats, melody.warnings)
            )
        return found


def to_score(melody: Melody, frames: np.ndarray, text: str = "") -> Score:
    """Return a melody with its lower voices.

    A pitch that goes on is one note, struck again where the melody strikes its own again. The lower voices
    begin and end with the melody's notes, also where those are off the grid, and are as loud.

    Args:
        melody: that was harmonised.
        frames: pitches of the four voices in its frames, as the model wrote them, `[T, 4]`.
        text: a remark to be put into the score.
    """
    notes = list(melody.score.notes)
    again = np.zeros(len(frames), bool)
    again[1:] = melody.has_onset[1:] & (melody.pitches[1:] == melody.pitches[:-1])
    apart = np.ones(len(frames), bool)
    apart[1:] = again[1:] | (melody.ends[:-1] != melody.starts[1:])
    for voice in range(SOPRANO + 1, len(VOICES)):
        pitches = np.where(melody.active, frames[:, voice] - melody.shift, -1)
        begins = np.flatnonzero(apart | (np.diff(pitches, prepend=-1) != 0))
        for first, last in zip(begins, [*(begins[1:] - 1), len(frames) - 1], strict=True):
            start, end = float(melody.starts[first]), float(melody.ends[last])
            if pitches[first] >= 0 and end > start:
                velocity = int(melody.velocities[first])
                notes.append(
                    Note(int(pitches[first]), velocity, start, end - start, notes[0].program, track=voice)
                )
    warnings = "\n".join(filter(None, (melody.score.text, text)))
    return replace(melody.score, notes=tuple(notes), names=VOICES, text=warnings)


def load_harmoniser(model: str | Path | None = None, device: str = "auto") -> Harmoniser:
    """Open a model of harmony by its name or the path of its file, or the one used when none is named.

    Raises:
        CheckpointError: there is no such model, or the file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(model, "harmony", HarmonyConfig)
    network = build(config.model)
    stored.fill(network)
    return Harmoniser(network, stored.header, choose_device(device))


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
        model: name of a model, or path of its file.
        device: where it runs.
    Raises:
        AudioseqError: of the kind that tells what is wrong: the file, its melody, the model, or a value.
    """
    score = Score.load(path)
    harmoniser = load_harmoniser(model, device)
    try:
        return harmoniser.harmonise(score, seed, count=count, sampling=sampling, best_of=best_of)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
