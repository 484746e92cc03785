"""Compose pieces with a model file and options."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import __version__, audio
from audioseq.checkpoint import Header
from audioseq.device import choose_device
from audioseq.errors import AudioseqError, ConfigError
from audioseq.midi import Score
from audioseq.models import open_model
from audioseq.music.analysis.statistics import describe
from audioseq.music.config import MusicConfig
from audioseq.music.generation.draft import Draft, parts_of
from audioseq.music.generation.dynamics import refine
from audioseq.music.generation.endings import (
    end_at_next,
    has_ending,
    is_stuck,
    release_together,
    trim_to_last_bar,
)
from audioseq.music.generation.generate import generate
from audioseq.music.generation.primer import Primer, Setting, choose_setting, place_events, settings_of
from audioseq.music.generation.sampling import Sampling, resolve_seed
from audioseq.music.generation.scores import compose_score, continue_score
from audioseq.music.generation.stepper import EventStep
from audioseq.music.instrumentation import arrange, parse_instruments
from audioseq.music.memorisation.fingerprint import TENSOR_NAME, Fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.rendering.render import Sound, render
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.chords import choose_key, parse_progression
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import to_grid
from audioseq.music.representation.keys import key_name
from audioseq.music.representation.tokenizer import decode

DEFAULT_SAMPLING = Sampling(temperature=1.05, top_p=0.98)
"""A temperature slightly above 1 adds variety; top-p removes the least likely values."""
WAV_SAMPLE_RATE = 44_100
"""Sample rate of `Composition.to_wav`, Hz."""
DEFAULT_SECONDS = 60.0
"""Length of a piece if neither bars nor seconds are given."""
DEFAULT_BARS = 32
"""Number of bars that the model expects at first if the length is given in seconds."""
LOOP_SIMILARITIES = {"pop": 0.24, "lied": 0.17, "quartet": 0.15, "chorale": 0.09}
"""75th percentile of `Statistics.similarity_4` of the validation pieces of each style."""
DRAWN_CONDITIONS = 4
"""Number of training pieces from which the conditions are chosen."""
MAX_BATCH_PIECES = 64
"""Pieces that are generated at once, and limit of `count` and `best_of`."""
MAX_SECONDS = 3600.0
DENSITIES = 0.5, 16.0
"""Lowest and highest density that can be requested, notes per quarter."""
MAX_DENSITY_ERROR = 2
"""Density classes, a quarter of a doubling each, from which the difference to the request is reported."""
MAX_BARS = 2000


@dataclass(frozen=True)
class CompositionOptions:
    """Requested properties of a piece. Options that are None are sampled from the training distribution.

    With a primer, key, tempo and density are by default those of the primer.

    Args:
        style: one of `vocabulary.STYLES`, except `other`, in any case.
        key: such as `D`, `Bb minor`, `f#`, `F#m` or `E-flat major`.
        tempo: quarter notes per minute, 20 to 400.
        density: notes per quarter note, 0.5 to 16.
        bars: length in bars, 1 to `MAX_BARS`.
        seconds: length in seconds, 1 to `MAX_SECONDS`; the piece ends with the nearest bar. Excludes `bars`.
        chords: chords bar by bar, repeated, such as `| C | Am7 | F G7 |` or `I vi ii V7`; see
            `parse_progression`. The key is by default the one that fits them.
        meter: time signature of new bars, such as `3/4`.
    Raises:
        ConfigError: a value is unknown or out of range, or both lengths are given.
    """

    style: str | None = None
    key: str | None = None
    tempo: float | None = None
    density: float | None = None
    bars: int | None = None
    seconds: float | None = None
    chords: str | None = None
    meter: str | None = None

    def __post_init__(self) -> None:
        styles = v.STYLES[:-1]
        if self.style is not None:
            if self.style.strip().lower() not in styles:
                raise ConfigError(f"style is {self.style!r}; give one of {', '.join(styles)}")
            object.__setattr__(self, "style", self.style.strip().lower())
        if self.key is not None:
            v.parse_key(self.key)
        _check("tempo", self.tempo, 20, 400, "quarter notes per minute")
        _check("density", self.density, *DENSITIES, "notes per quarter note")
        _check("bars", self.bars, 1, MAX_BARS, "bars")
        _check("seconds", self.seconds, 1, MAX_SECONDS, "seconds")
        if self.bars is not None and self.seconds is not None:
            raise ConfigError("bars and seconds both set the length; give one of them")
        if self.chords is not None:
            parse_progression(self.chords)
        if self.meter is not None:
            _parse_meter(self.meter)


@dataclass(frozen=True)
class Composition:
    """A generated piece.

    Args:
        score: the music.
        seed: the seed that reproduces the piece.
        number: index among the pieces of this seed, from 0.
        conditions: the requested properties, after sampling those that were left open.
        tempo: quarter notes per minute; of the continuation if there is a primer.
        nats_per_event: negative log-likelihood of the model at temperature 1; lower is likelier.
        density: notes per quarter note.
        copied: whether the piece shares a run of notes with the training data, up to false positives. If not,
            it shares no 17 consecutive notes with the pieces in the model's `Fingerprint`.
        resampled: how many events were rejected because they would have completed such a run.
        warnings: messages for the user, one line each.
    """

    score: Score
    seed: int
    number: int
    conditions: Conditions
    tempo: float
    nats_per_event: float
    density: float
    copied: bool = False
    resampled: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def style(self) -> str:
        """Style of the piece: as requested, sampled, or inferred from the primer."""
        return v.STYLES[self.conditions.style]

    @property
    def key(self) -> str:
        """Key of the piece, such as `Eb major`."""
        return key_name(self.conditions.tonic, self.conditions.minor)

    @property
    def summary(self) -> str:
        """Style, key, tempo and density in one line."""
        return f"{self.style} in {self.key}, {self.tempo:.4g} bpm, {self.density:.2g} notes per quarter"

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; its text event records the seed."""
        self.score.save(path)

    def to_musicxml(self, path: str | Path, *, title: str = "") -> None:
        """Write sheet music; see `Score.to_musicxml`."""
        self.score.to_musicxml(path, title=title)

    def to_wav(self, path: str | Path, sound: Sound | None = None) -> None:
        """Write audio (.wav or .flac), by default in stereo with reverberation; see `render`."""
        audio.write(path, render(self.score, WAV_SAMPLE_RATE, sound or Sound(stereo=True)), WAV_SAMPLE_RATE)

    def plot(self, path: str | Path) -> None:
        """Draw a piano roll (.png, .svg or .pdf)."""
        from audioseq.music.analysis.plot import piano_roll  # loads matplotlib

        piano_roll(self.score, Path(path))


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
            best_of: number of candidates per piece. The result is the likeliest candidate that ends with a
                cadence, is neither stuck nor a loop, and copies no training data, if any; events that repeat
                an earlier bar do not count, so that repetition has no advantage.
        Raises:
            ConfigError: a value is out of range.
        """
        options, sampling = options or CompositionOptions(), sampling or DEFAULT_SAMPLING
        seed = resolve_seed(seed)
        _check("count", count, 1, MAX_BATCH_PIECES, "pieces")
        _check("best-of", best_of, 1, MAX_BATCH_PIECES, "pieces")
        start = self._read_primer(primer, options) if primer is not None else None
        jobs = list(product(range(count), range(best_of)))
        plans = [self._plan(options, start, seed, number, attempt) for number, attempt in jobs]
        drafts = [draft for draft, _ in plans]
        step = EventStep(self.model)
        for first in range(0, len(drafts), MAX_BATCH_PIECES):
            generate(self.model, drafts[first : first + MAX_BATCH_PIECES], sampling, step, self.training_runs)
        candidates: list[tuple[int, float, Composition]] = []
        for job, (draft, bpm) in zip(jobs, plans, strict=True):
            made = self._finish(draft, bpm, start, seed, job, with_primer)
            rank = is_stuck(draft.events) + made.copied + (not has_ending(draft))
            rank += best_of > 1 and is_loop(made)
            candidates.append((rank, draft.new_nats / max(draft.new, 1), made))
        groups = (candidates[first : first + best_of] for first in range(0, len(jobs), best_of))
        return [min(group, key=lambda candidate: candidate[:2])[-1] for group in groups]

    def _read_primer(self, score: Score, options: CompositionOptions) -> _Start:
        """Choose how the model reads a primer."""
        primer = Primer(score)
        tonic, minor = v.parse_key(options.key) if options.key else primer.key
        programs = {
            style: Counter(row.programs for row in rows).most_common(1)[0][0]
            for style, rows in self.training_conditions.items()
            if options.style in (None, style)
        }
        self._check_style(options)
        density = v.density_class(options.density or primer.density)
        bars = len(primer.piece.meters)
        conditions = Conditions(0, tonic, minor, v.tempo_class(primer.bpm), density, bars, (0,))
        setting = choose_setting(self.model, primer, settings_of(primer, programs), conditions)
        conditions = replace(conditions, style=setting.style, programs=setting.programs)
        return _Start(primer, setting, conditions, place_events(primer, setting))

    def _check_style(self, options: CompositionOptions) -> None:
        if options.style not in (None, *self.training_conditions):
            known = ", ".join(sorted(self.training_conditions))
            raise ConfigError(f"style is {options.style!r}; this model has only {known}")

    def _plan(
        self, options: CompositionOptions, start: _Start | None, seed: int, number: int, attempt: int
    ) -> tuple[Draft, float]:
        """Return the draft of a candidate, and its tempo in quarter notes per minute."""
        random = np.random.default_rng([seed, number, attempt, 1])
        bars = options.bars or DEFAULT_BARS
        if start is None:
            row, bpm = self._sample_conditions(options, np.random.default_rng([seed, number]))
            draft = Draft(replace(row, bars=bars), random, density=options.density, ending=True)
            begin = 0
        else:
            primer, row = start.primer, start.conditions
            bpm = options.tempo or primer.bpm
            row = replace(row, tempo=v.tempo_class(bpm), bars=bars + row.bars)
            draft = Draft(
                row, random, density=options.density or primer.density, ending=True,
                events=[event.copy() for event in start.events],
                parts=primer.parts(start.setting, parts_of(row), join=options.style is not None),
                meters=primer.meters, first_tick=primer.end, grid=primer.grid, levels=primer.levels,
                key_strength=primer.key_strength,
                shares=() if options.style is not None else primer.shares(start.setting),
            )  # fmt: skip
            begin = primer.piece.starts[-1]
        if options.chords is not None:
            progression = parse_progression(options.chords, (row.tonic, row.minor))
            draft.chords = progression.after(0 if start is None else len(start.primer.piece.meters))
            draft.ending = False  # the chords end the piece
        if options.meter is not None:
            draft.meters = (_parse_meter(options.meter),)
        if options.bars is None:
            seconds = options.seconds or DEFAULT_SECONDS
            draft.target_ticks = begin + seconds * bpm / 60 * v.TICKS_PER_QUARTER
        return draft, float(bpm)

    def _sample_conditions(
        self, options: CompositionOptions, random: np.random.Generator
    ) -> tuple[Conditions, float]:
        """Return the conditions of a piece, and its exact tempo in quarter notes per minute.

        All open options come from one training piece, so that they fit each other. Of four pieces, that
        with the second smallest number of notes per second is taken, so that extremes are rare.
        """
        self._check_style(options)
        styles = sorted(self.training_conditions)
        style = options.style or styles[int(random.integers(len(styles)))]
        rows = self.training_conditions[style]
        drawn = [rows[int(random.integers(len(rows)))] for _ in range(DRAWN_CONDITIONS)]
        row = sorted(drawn, key=_notes_per_second)[(DRAWN_CONDITIONS - 1) // 2]
        if options.key is not None:
            tonic, minor = v.parse_key(options.key)
            row = replace(row, tonic=tonic, minor=minor)
        elif options.chords is not None:
            tonic, minor = choose_key(options.chords, (row.tonic, row.minor))
            row = replace(row, tonic=tonic, minor=minor)
        if options.density is not None:
            row = replace(row, density=v.density_class(options.density))
        bpm = options.tempo or v.class_tempo(row.tempo)
        return replace(row, style=v.STYLES.index(style), tempo=v.tempo_class(bpm)), float(bpm)

    def _finish(
        self,
        draft: Draft,
        bpm: float,
        start: _Start | None,
        seed: int,
        job: tuple[int, int],
        with_primer: bool,
    ) -> Composition:
        """Return the piece of a finished draft."""
        number, attempt = job
        conditions = draft.conditions
        key = conditions.tonic, conditions.minor
        piece = release_together(trim_to_last_bar(decode(draft.events, conditions.programs, bpm)))
        copied = self.training_runs is not None and self.training_runs.shares_run_with(piece)
        random = np.random.default_rng([seed, number, attempt, 2])
        text = _describe(seed, number, conditions, bpm)
        single = [track for track, part in enumerate(draft.parts) if part.most == 1]
        if start is None:
            piece = refine(end_at_next(piece, single), conditions.style, random)
            score = compose_score(piece, conditions.style, key, text)
        else:
            new = replace(piece, notes=piece.notes[len(start.primer.piece.notes) :])
            heard = [note.velocity for note in start.primer.score.notes if not note.drum]
            new = refine(end_at_next(new, single), conditions.style, random, heard)
            score = continue_score(start.primer, start.setting, new, key, text, with_primer)
        if draft.chords is not None:
            bars = 0 if start is None else len(start.primer.piece.meters)
            progression = draft.chords if with_primer else draft.chords.after(-bars)
            score = replace(score, chords=progression.symbols(score, bars if with_primer else 0))
        nats = draft.nats / max(draft.sampled, 1)
        density = piece.density
        warnings = []
        if copied:
            warnings.append("probably repeats a run of notes of the training data")
        if draft.density is not None and start is None:
            asked = draft.density
            if abs(v.density_scale(density) - v.density_scale(asked)) > MAX_DENSITY_ERROR:
                warnings.append(
                    f"{asked:g} notes per quarter were asked for; this style rarely has so "
                    f"{'many' if asked > density else 'few'}"
                )
        return Composition(
            score, seed, number, conditions, bpm, nats, density, copied, draft.resampled, tuple(warnings)
        )


@dataclass(frozen=True)
class _Start:
    """A primer as the model reads it."""

    primer: Primer
    setting: Setting
    conditions: Conditions
    events: list[list[int]]


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
    primer: str | Path | Score | None = None,
    instruments: str | None = None,
    **options: Any,
) -> Composition:
    """Compose one piece.

    Args:
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `music-small`.
        primer: piece, or path of a MIDI file, to continue.
        instruments: instruments for melody, bass and chords, such as `flute, cello, piano`; see `arrange`.
        options: fields of `CompositionOptions`: style, key, tempo, density, bars, seconds, chords, meter.
    Raises:
        AudioseqError: the model, the primer or an option is invalid.
    """
    known = CompositionOptions.__dataclass_fields__
    if unknown := sorted(options.keys() - known):
        raise AudioseqError(f"compose has no option {', '.join(unknown)}; the options are {', '.join(known)}")
    programs = parse_instruments(instruments) if instruments is not None else None
    start = primer if isinstance(primer, Score) or primer is None else Score.load(primer)
    made = load_composer(model).compose(seed, options=CompositionOptions(**options), primer=start)[0]
    return made if programs is None else replace(made, score=arrange(made.score, programs))


def _notes_per_second(row: Conditions) -> float:
    return (
        row.density / 4 + row.tempo / 8
    )  # both are binary logarithms: of notes per quarter, and of quarters


def _parse_meter(text: str) -> int:
    """Return the index of a time signature in `vocabulary.METERS`."""
    for index, (numerator, denominator) in enumerate(v.METERS):
        if text.replace(" ", "") == f"{numerator}/{denominator}":
            return index
    raise ConfigError(f"meter is {text!r}; give a time signature such as 4/4, 3/4, 2/4, 6/8 or 12/8")


def is_loop(made: Composition) -> bool:
    """Return whether the bars of a piece are more similar to those 4 bars before than in real pieces."""
    if not made.score.notes or made.style not in LOOP_SIMILARITIES:
        return False
    return describe(to_grid(made.score)).similarity_4 > LOOP_SIMILARITIES[made.style]


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


def _describe(seed: int, number: int, conditions: Conditions, bpm: float) -> str:
    """Return the text that is stored in the MIDI file."""
    style, key = v.STYLES[conditions.style], key_name(conditions.tonic, conditions.minor)
    return f"audioseq {__version__}: seed {seed}, piece {number}, style {style}, key {key}, {bpm:g} bpm"
