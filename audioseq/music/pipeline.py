"""Compose pieces with a model file and options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import __version__
from audioseq.checkpoint import Header
from audioseq.device import choose_device
from audioseq.errors import AudioseqError, ConfigError
from audioseq.midi import Score
from audioseq.models import open_model
from audioseq.music.config import MusicConfig
from audioseq.music.generation.endings import is_stuck, resample_ending, trim_to_last_bar, without_first_notes
from audioseq.music.generation.generate import Draft, generate
from audioseq.music.generation.sampling import Sampling, resolve_seed
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import TENSOR_NAME, Fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import Piece, to_grid, to_score
from audioseq.music.representation.tokenizer import decode, encode

DEFAULT_SAMPLING = Sampling(temperature=1.05, top_p=0.98)
"""A temperature slightly above 1 adds variety; top-p removes the least likely values."""
DEFAULT_SECONDS = 60.0
"""Length of a piece if neither bars nor seconds are given."""
MAX_BATCH_PIECES = 64
"""Pieces that are generated at once, and limit of `count` and `best_of`."""
MAX_SECONDS = 3600.0
MAX_BARS = 2000


@dataclass(frozen=True)
class CompositionOptions:
    """Requested properties of a piece. Options that are None are sampled from the training distribution.

    With a primer, key, tempo and density are by default those of the primer.

    Args:
        style: one of `vocabulary.STYLES`, except `other`, in any case.
        key: such as `D`, `Bb minor`, `f#`, `F#m` or `E-flat major`.
        tempo: quarter notes per minute, 20 to 400.
        density: notes per quarter note, 0.1 to 50.
        bars: length in bars, 1 to `MAX_BARS`.
        seconds: length in seconds, 1 to `MAX_SECONDS`; the piece ends with the nearest bar. Excludes `bars`.
    Raises:
        ConfigError: a value is unknown or out of range, or both lengths are given.
    """

    style: str | None = None
    key: str | None = None
    tempo: float | None = None
    density: float | None = None
    bars: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        styles = v.STYLES[:-1]
        if self.style is not None:
            if self.style.strip().lower() not in styles:
                raise ConfigError(f"style is {self.style!r}; give one of {', '.join(styles)}")
            object.__setattr__(self, "style", self.style.strip().lower())
        if self.key is not None:
            v.parse_key(self.key)
        _check("tempo", self.tempo, 20, 400, "quarter notes per minute")
        _check("density", self.density, 0.1, 50, "notes per quarter note")
        _check("bars", self.bars, 1, MAX_BARS, "bars")
        _check("seconds", self.seconds, 1, MAX_SECONDS, "seconds")
        if self.bars is not None and self.seconds is not None:
            raise ConfigError("bars and seconds both set the length; give one of them")


@dataclass(frozen=True)
class Composition:
    """A generated piece.

    Args:
        score: the music.
        seed: the seed that reproduces the piece.
        number: index among the pieces of this seed, from 0.
        conditions: the requested properties, after sampling those that were left open.
        nats_per_event: negative log-likelihood of the model at temperature 1; lower is likelier.
        copied: whether the piece shares a run of notes with the training data, up to false positives. If not,
            it shares no 17 consecutive notes with the pieces in the model's `Fingerprint`.
        resampled: how many events were rejected because they would have completed such a run.
    """

    score: Score
    seed: int
    number: int
    conditions: Conditions
    nats_per_event: float
    copied: bool = False
    resampled: int = 0

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; its text event records the seed."""
        self.score.save(path)


class Composer:
    """A trained music model that composes pieces.

    Args:
        model: the network with its weights.
        header: header of the model file.
        device: device of the model.
        training_runs: runs of notes of the training data to avoid, if the model file has them.
    """

    def __init__(
        self,
        model: MusicModel,
        header: Header,
        device: torch.device,
        training_runs: Fingerprint | None = None,
    ) -> None:
        self.model = model.to(device).eval()
        self.header = header
        self.training_runs = training_runs
        self.training_conditions = _read_conditions(header.tokenizer["asked"])

    def compose(
        self,
        seed: int | None = None,
        *,
        count: int = 1,
        options: CompositionOptions | None = None,
        sampling: Sampling | None = None,
        primer: Score | None = None,
        with_primer: bool = True,
        best_of: int = 1,
    ) -> list[Composition]:
        """Compose pieces, as one batch.

        Args:
            seed: 0 or more; equal seeds give equal pieces (same version, CPU). Random if not given.
            count: number of pieces.
            options: requested properties.
            sampling: options of sampling; default `DEFAULT_SAMPLING`.
            primer: music that each piece continues.
            with_primer: whether the result includes the primer.
            best_of: number of candidates per piece. The result is the likeliest candidate that neither is
                stuck nor copies training data, if any.
        Raises:
            ConfigError: a value is out of range.
        """
        options, sampling = options or CompositionOptions(), sampling or DEFAULT_SAMPLING
        seed = resolve_seed(seed)
        _check("count", count, 1, MAX_BATCH_PIECES, "pieces")
        _check("best-of", best_of, 1, MAX_BATCH_PIECES, "pieces")
        start = to_grid(primer) if primer is not None else None
        primer_events = encode(start)[:-1].tolist() if start is not None else []
        jobs = list(product(range(count), range(best_of)))
        drafts, tempos = [], []
        for number, attempt in jobs:
            conditions, bpm = self._sample_conditions(options, start, np.random.default_rng([seed, number]))
            draft = Draft(conditions, np.random.default_rng([seed, number, attempt, 1]))
            draft.events = primer_events.copy()
            if options.bars is None:
                primer_ticks = start.starts[-1] if start is not None else 0
                seconds = options.seconds or DEFAULT_SECONDS
                draft.target_ticks = primer_ticks + seconds * bpm / 60 * v.TICKS_PER_QUARTER
            drafts.append(draft)
            tempos.append(bpm)
        step = EventStep(self.model)
        for first in range(0, len(drafts), MAX_BATCH_PIECES):
            batch = drafts[first : first + MAX_BATCH_PIECES]
            generate(self.model, batch, sampling, step, self.training_runs)
            resample_ending(self.model, batch, sampling, step, len(primer_events), self.training_runs)
        skipped = len(start.notes) if start is not None and not with_primer else 0
        candidates: list[tuple[int, float, Composition]] = []
        for (number, _), draft, bpm in zip(jobs, drafts, tempos, strict=True):
            piece = trim_to_last_bar(decode(draft.events, draft.conditions.programs, bpm))
            piece = without_first_notes(piece, skipped)
            score = to_score(piece, text=_description(seed, number, draft.conditions, bpm))
            nats = draft.nats / max(draft.sampled, 1)
            copied = self.training_runs is not None and self.training_runs.shares_run_with(piece)
            made = Composition(score, seed, number, draft.conditions, nats, copied, draft.resampled)
            candidates.append((is_stuck(draft.events) + copied, nats, made))
        groups = (candidates[first : first + best_of] for first in range(0, len(jobs), best_of))
        return [min(group, key=lambda candidate: candidate[:2])[-1] for group in groups]

    def _sample_conditions(
        self, options: CompositionOptions, primer: Piece | None, random: np.random.Generator
    ) -> tuple[Conditions, float]:
        """Return the conditions of a piece, and its exact tempo in quarter notes per minute.

        All open options come from one training piece, so that they fit each other.
        """
        styles = sorted(self.training_conditions)
        style = options.style or styles[int(random.integers(len(styles)))]
        if style not in self.training_conditions:
            raise ConfigError(f"style is {style!r}; this model has only {', '.join(styles)}")
        rows = self.training_conditions[style]
        row = rows[int(random.integers(len(rows)))]
        bpm, bars = v.class_tempo(row.tempo), options.bars or 32
        if primer is not None:
            style = options.style or "other"
            programs = primer.programs + (row.programs[len(primer.programs) :] if options.style else ())
            tonic, minor = primer.key(complete=False)
            density = v.density_class(primer.density)
            row = replace(row, tonic=tonic, minor=minor, density=density, programs=programs)
            bpm, bars = primer.bpm, bars + len(primer.meters)
        if options.key is not None:
            tonic, minor = v.parse_key(options.key)
            row = replace(row, tonic=tonic, minor=minor)
        if options.density is not None:
            row = replace(row, density=v.density_class(options.density))
        bpm = options.tempo or bpm
        row = replace(row, style=v.STYLES.index(style), tempo=v.tempo_class(bpm), bars=bars)
        return row, float(bpm)


def load_composer(model: str | Path | None = None, device: str = "auto") -> Composer:
    """Load a music model by its name or path, or the default model.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(model, "music", MusicConfig)
    runs = stored.weights.pop(TENSOR_NAME, None)
    network = stored.restore(lambda: build(config.model))
    try:
        training_runs = Fingerprint.from_tensor(runs) if runs is not None else None
        return Composer(network, stored.header, choose_device(device), training_runs)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:  # invalid conditions
        raise stored.misfit() from error


def compose(
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    primer: str | Path | None = None,
    **options: Any,
) -> Composition:
    """Compose one piece.

    Args:
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `music-small`.
        primer: MIDI file to continue.
        options: fields of `CompositionOptions`: style, key, tempo, density, bars, seconds.
    Raises:
        AudioseqError: the model, the primer or an option is invalid.
    """
    known = CompositionOptions.__dataclass_fields__
    if unknown := sorted(options.keys() - known):
        raise AudioseqError(f"compose has no option {', '.join(unknown)}; the options are {', '.join(known)}")
    start = Score.load(primer) if primer is not None else None
    return load_composer(model).compose(seed, options=CompositionOptions(**options), primer=start)[0]


def _check(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}; give {low:g} to {high:g} {unit}")


def _read_conditions(stored: dict[str, list[dict[str, Any]]]) -> dict[str, list[Conditions]]:
    """Return the conditions that a model file has, by style; ValueError or others if they are invalid."""
    found = {
        style: [Conditions(**{**row, "programs": tuple(row["programs"])}) for row in rows]
        for style, rows in stored.items()
    }
    valid = [
        style in v.STYLES and rows and all(row.is_valid() for row in rows) for style, rows in found.items()
    ]
    if not valid or not all(valid):
        raise ValueError("the conditions are invalid")
    return found


def _description(seed: int, number: int, conditions: Conditions, bpm: float) -> str:
    """Return the text that is stored in the MIDI file."""
    key = f"{v.TONICS[conditions.tonic]} {'minor' if conditions.minor else 'major'}"
    style = v.STYLES[conditions.style]
    return f"audioseq {__version__}: seed {seed}, piece {number}, style {style}, key {key}, {bpm:g} bpm"
