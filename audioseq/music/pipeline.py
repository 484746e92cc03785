"""From a model file and options to a composition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import __version__, checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import parse
from audioseq.device import choose_device
from audioseq.errors import AudioseqError, CheckpointError, ConfigError
from audioseq.midi import Score
from audioseq.music.config import MusicConfig
from audioseq.music.generation.endings import is_stuck, resample_ending, trim_to_last_bar, without_first_notes
from audioseq.music.generation.generate import Draft, generate
from audioseq.music.generation.sampling import Sampling, resolve_seed
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import TENSOR, Fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.grid import Piece, to_grid, to_score
from audioseq.music.representation.tokenizer import decode, encode

DEFAULT_SAMPLING = Sampling(temperature=1.05, top_p=0.98)
"""How values are drawn unless told: a little wilder, but without what is least likely."""
DEFAULT_SECONDS = 60.0
MOST_AT_ONCE = 64
LONGEST_SECONDS = 3600.0
MOST_BARS = 2000


@dataclass(frozen=True)
class CompositionOptions:
    """What a piece should be like; what is left open is drawn as it comes in the music that was learnt.

    Args:
        style: one of `vocabulary.STYLES`, but `other`.
        key: such as `D`, `Bb minor`, `f#` or `F#m`.
        tempo: quarter notes a minute.
        density: notes in a quarter.
        bars: length; or
        seconds: length, within a bar.
    Raises:
        ConfigError: a value is unknown or out of range.
    """

    style: str | None = None
    key: str | None = None
    tempo: float | None = None
    density: float | None = None
    bars: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        known = v.STYLES[:-1]
        if self.style is not None and self.style not in known:
            raise ConfigError(f"style is {self.style!r}, but must be one of {', '.join(known)}")
        if self.key is not None:
            v.parse_key(self.key)
        _check("tempo", self.tempo, 20, 400, "quarter notes a minute")
        _check("density", self.density, 0.1, 50, "notes in a quarter")
        _check("bars", self.bars, 1, MOST_BARS, "bars")
        _check("seconds", self.seconds, 1, LONGEST_SECONDS, "seconds")
        if self.bars is not None and self.seconds is not None:
            raise ConfigError("bars and seconds both say how long the piece is; give one of them")


@dataclass(frozen=True)
class Composition:
    """A piece that was composed.

    Args:
        score: the music.
        seed: what makes the same again.
        number: which of the pieces of this seed, from 0.
        asked: what the model was asked for.
        nats_per_event: of the model, at temperature 1; lower is likelier.
        copied: whether a run of notes seems to be in the training data, as nothing else could be drawn. If
            not, no 17 notes in a row are in what the model file knows of it; see `Fingerprint`.
        redrawn: how often an event was drawn again for that.
    """

    score: Score
    seed: int
    number: int
    conditions: Conditions
    nats_per_event: float
    copied: bool = False
    resampled: int = 0

    def save(self, path: str | Path) -> None:
        """Write a MIDI file; the seed is in it."""
        self.score.save(path)


class Composer:
    """A trained music model that composes.

    Args:
        model: the network, with its weights.
        header: what the model file says about it.
        device: where it runs.
        heard: runs of notes of the training data, which it avoids, if the file knows them.
    """

    def __init__(
        self, model: MusicModel, header: Header, device: torch.device, heard: Fingerprint | None = None
    ) -> None:
        self.model = model.to(device).eval()
        self.header = header
        self.heard = heard
        asked: dict[str, list[dict[str, Any]]] = header.tokenizer["asked"]
        self.usual = {
            style: [Conditions(**{**row, "programs": tuple(row["programs"])}) for row in rows]
            for style, rows in asked.items()
        }

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
        """Compose pieces, all at once.

        Args:
            seed: 0 or more; equal seeds give equal pieces (same version, CPU). Drawn if not given.
            count: pieces.
            options: what they should be like.
            sampling: how free the choice is; `USUAL` unless given.
            primer: music that each of them goes on from.
            with_primer: whether the primer is in the result.
            best_of: so many are composed for each; kept is the likeliest of those that neither get stuck nor
                copy the training data, as far as there are any.
        Raises:
            ConfigError: a value is out of range.
        """
        options, sampling = options or CompositionOptions(), sampling or DEFAULT_SAMPLING
        seed = resolve_seed(seed)
        _check("count", count, 1, MOST_AT_ONCE, "pieces")
        _check("best-of", best_of, 1, MOST_AT_ONCE, "pieces")
        found: list[Composition] = []
        start = to_grid(primer) if primer is not None else None
        given = encode(start)[:-1].tolist() if start is not None else []
        jobs = [(number, attempt) for number in range(count) for attempt in range(best_of)]
        drafts, tempos = [], []
        for number, attempt in jobs:
            asked, bpm = self._conditions(options, start, np.random.default_rng([seed, number]))
            draft = Draft(asked, np.random.default_rng([seed, number, attempt, 1]))
            draft.events = given.copy()
            if options.bars is None:
                before = start.starts[-1] if start is not None else 0
                draft.ticks = before + (options.seconds or DEFAULT_SECONDS) * bpm / 60 * v.TICKS
            drafts.append(draft)
            tempos.append(bpm)
        step = EventStep(self.model)
        for first in range(0, len(drafts), MOST_AT_ONCE):
            some = drafts[first : first + MOST_AT_ONCE]
            generate(self.model, some, sampling, step, self.heard)
            resample_ending(self.model, some, sampling, step, first=len(given), known=self.heard)
        skipped = len(start.notes) if start is not None and not with_primer else 0
        for number in range(count):
            tries: list[tuple[int, float, int, Composition]] = []
            for draft, bpm in list(zip(drafts, tempos, strict=True))[number * best_of :][:best_of]:
                piece = without_first_notes(
                    trim_to_last_bar(decode(draft.events, draft.conditions.programs, bpm)), skipped
                )
                score = to_score(piece, text=_remark(seed, number, draft.conditions, bpm))
                nats = draft.nats / max(draft.sampled, 1)
                copied = self.heard is not None and self.heard.has_run_of(piece)
                made = Composition(score, seed, number, draft.conditions, nats, copied, draft.resampled)
                tries.append((is_stuck(draft.events) + copied, nats, len(tries), made))
            found.append(min(tries)[-1])
        return found

    def _conditions(
        self, options: CompositionOptions, primer: Piece | None, random: np.random.Generator
    ) -> tuple[Conditions, float]:
        """Return what the model is asked for, and the exact tempo."""
        styles = sorted(self.usual)
        style = options.style or styles[int(random.integers(len(styles)))]
        if style not in self.usual:
            raise ConfigError(f"this model has not learnt the style {style}; it knows {', '.join(styles)}")
        rows = self.usual[style]
        row = rows[int(random.integers(len(rows)))]
        bpm = v.class_tempo(row.tempo)
        bars = options.bars or 32
        if primer is not None:
            tonic, minor = primer.key()
            programs = primer.programs
            if options.style is None:
                style = "other"
            else:
                programs += row.programs[len(programs) :]
            row = replace(row, tonic=tonic, minor=minor, programs=programs)
            bpm = primer.bpm
            bars += len(primer.meters)
        if options.key is not None:
            tonic, minor = v.parse_key(options.key)
            row = replace(row, tonic=tonic, minor=minor)
        if options.density is not None:
            row = replace(row, density=v.density_class(options.density))
        bpm = options.tempo or bpm
        asked = replace(row, style=v.STYLES.index(style), tempo=v.tempo_class(bpm), bars=bars)
        return asked, float(bpm)


def load_composer(model: str | Path | None = None, device: str = "auto") -> Composer:
    """Open a music model by its name or the path of its file, or the one that is used when none is named.

    Raises:
        CheckpointError: there is no such model, or the file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    model = model if model is not None else models.default_for("music")
    stored = checkpoint.load(models.resolve(model, task="music"), task="music")
    config = parse(MusicConfig, stored.header.config, f"the config in {model}")
    network = build(config.model)
    kept = stored.weights.pop(TENSOR, None)
    stored.fill(network, model)
    try:
        heard = Fingerprint.from_tensor(kept) if kept is not None else None
        return Composer(network, stored.header, choose_device(device), heard)
    except (RuntimeError, KeyError, TypeError) as error:  # the table of options
        raise CheckpointError(f"{model}: its weights do not fit its config; get or train it again") from error


def compose(
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    primer: str | Path | None = None,
    **options: Any,
) -> Composition:
    """Compose one piece.

    Args:
        seed: equal seeds give equal pieces; drawn if not given.
        model: name of a model, or path of its file.
        primer: MIDI file to go on from.
        options: of `Wishes`: style, key, tempo, density, bars, seconds.
    Raises:
        AudioseqError: of the kind that tells what is wrong: the model, the primer, or a wish.
    """
    unknown = set(options) - set(CompositionOptions.__dataclass_fields__)
    if unknown:
        known = ", ".join(CompositionOptions.__dataclass_fields__)
        raise AudioseqError(f"{', '.join(sorted(unknown))}: no such wish; there are {known}")
    start = Score.load(primer) if primer is not None else None
    return load_composer(model).compose(seed, options=CompositionOptions(**options), primer=start)[0]


def _check(name: str, value: float | None, low: float, high: float, unit: str) -> None:
    if value is not None and not low <= value <= high:
        raise ConfigError(f"{name} is {value:g}, but must be in {low:g}..{high:g} {unit}")


def _remark(seed: int, number: int, asked: Conditions, bpm: float) -> str:
    key = f"{v.TONICS[asked.tonic]} {'minor' if asked.minor else 'major'}"
    style = v.STYLES[asked.style]
    return f"audioseq {__version__}: seed {seed}, piece {number}, style {style}, key {key}, {bpm:g} bpm"
