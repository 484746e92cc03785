"""Load a music model, and compose, continue, fill, vary or accompany one piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from audioseq.errors import AudioseqError, ConfigError
from audioseq.midi import Score
from audioseq.models import open_model
from audioseq.music.composing.composer import (
    CANDIDATES,
    DEFAULT_SAMPLING,
    DEFAULT_STRENGTH,
    MAX_BATCH_PIECES,
    Composer,
)
from audioseq.music.composing.composition import Composition
from audioseq.music.composing.options import DENSITIES, CompositionOptions
from audioseq.music.config import MusicConfig
from audioseq.music.generation.stepper import EventStep
from audioseq.music.instrumentation import arrange, parse_instruments
from audioseq.music.memorisation.fingerprint import TENSOR_NAME, Fingerprint
from audioseq.music.representation.chord_track import load_chords

__all__ = [
    "DEFAULT_SAMPLING",
    "DENSITIES",
    "MAX_BATCH_PIECES",
    "Composer",
    "Composition",
    "CompositionOptions",
    "accompany",
    "compose",
    "continue_from",
    "fill",
    "load_composer",
    "vary",
]


def load_composer(model: str | Path | None = None) -> Composer:
    """Load a music model by its name or path, or the default model, without torch; it composes on the CPU.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
    """
    config, stored = open_model(model, "music", MusicConfig)
    stored.check_finite()
    runs = stored.arrays.pop(TENSOR_NAME, None)
    training_runs = Fingerprint.from_array(runs) if runs is not None else None
    try:
        return Composer(EventStep(stored.arrays, config.model), stored.header, training_runs)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # other weights, or invalid conditions
        raise stored.misfit() from error


def compose(
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    primer: str | Path | Score | None = None,
    instruments: str | None = None,
    form: str | None = None,
    **options: Any,
) -> Composition:
    """Compose one piece.

    The model is loaded on each call. For many pieces, use `load_composer`, whose methods also take a number
    of pieces and of candidates, and options of sampling.

    Args:
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `music-small`.
        primer: piece, or path of a MIDI file, to continue.
        instruments: instruments for melody, bass and chords, such as `flute, cello, piano`; see `arrange`.
        form: sections, such as `AABA`; excludes a primer and chords.
        options: fields of `CompositionOptions`: style, key, tempo, density, bars, seconds, chords, meter,
            swing. Chords may also be a score, or the path of a MIDI file; see `read_chords`.
    Raises:
        AudioseqError: the model, the primer or an option is invalid.
    """
    wanted = _read_options("compose", options)
    programs = parse_instruments(instruments) if instruments is not None else None
    start = None if primer is None else _load(primer)
    composer = load_composer(model)
    if form is None:
        made = composer.compose(seed, options=wanted, primer=start)[0]
    elif start is not None:
        raise ConfigError("form and primer exclude each other; leave out one of them")
    else:
        made = composer.compose_form(form, seed, options=wanted)[0]
    return made if programs is None else replace(made, score=arrange(made.score, programs))


def continue_from(
    score: str | Path | Score,
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    with_primer: bool = True,
    **options: Any,
) -> Composition:
    """Continue a piece; see `Composer.compose`.

    Args:
        score: the piece, or path of a MIDI file.
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `music-small`.
        with_primer: whether the result begins with the piece.
        options: fields of `CompositionOptions`.
    Raises:
        AudioseqError: the model, the piece or an option is invalid.
    Example:
        `audioseq.continue_from("tune.mid", bars=16).save("longer.mid")`
    """
    wanted = _read_options("continue_from", options)
    composer = load_composer(model)
    return composer.compose(seed, options=wanted, primer=_load(score), with_primer=with_primer)[0]


def fill(
    score: str | Path | Score,
    bars: tuple[int, int],
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    best_of: int = CANDIDATES,
    **options: Any,
) -> Composition:
    """Rewrite some bars of a piece, to fit the bars before and after them; see `Composer.fill`.

    Args:
        score: the piece, or path of a MIDI file.
        bars: first and last bar, from 1.
        seed: equal seeds give equal pieces; random if not given.
        model: name of a model, or path of its file; default `music-small`.
        best_of: number of candidates.
        options: style, key, density and chords, as in `CompositionOptions`.
    Raises:
        AudioseqError: the model, the piece or an option is invalid.
    Example:
        `audioseq.fill("song.mid", bars=(9, 16)).save("other.mid")`
    """
    wanted = _read_options("fill", options)
    return load_composer(model).fill(_load(score), bars, seed, options=wanted, best_of=best_of)[0]


def vary(
    score: str | Path | Score,
    strength: float = DEFAULT_STRENGTH,
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    best_of: int = CANDIDATES,
    **options: Any,
) -> Composition:
    """Return a variation of a piece; see `Composer.vary`.

    Args:
        score: the piece, or path of a MIDI file.
        strength: share of the bars that are rewritten, 0 to 1.
        seed: as in `fill`.
        model: as in `fill`.
        best_of: as in `fill`.
        options: as in `fill`.
    Raises:
        AudioseqError: the model, the piece or an option is invalid.
    Example:
        `audioseq.vary("song.mid", strength=0.3).save("variation.mid")`
    """
    wanted = _read_options("vary", options)
    return load_composer(model).vary(_load(score), strength, seed, options=wanted, best_of=best_of)[0]


def accompany(
    score: str | Path | Score,
    seed: int | None = None,
    *,
    model: str | Path | None = None,
    best_of: int = CANDIDATES,
    **options: Any,
) -> Composition:
    """Accompany a melody as a pop song, Lied or quartet; see `Composer.accompany`.

    Args:
        score: the melody, or path of a MIDI file.
        seed: as in `fill`.
        model: as in `fill`.
        best_of: as in `fill`.
        options: as in `fill`.
    Raises:
        AudioseqError: the model, the melody or an option is invalid.
    Example:
        `audioseq.accompany("melody.mid", style="quartet").save("quartet.mid")`
    """
    wanted = _read_options("accompany", options)
    return load_composer(model).accompany(_load(score), seed, options=wanted, best_of=best_of)[0]


def _read_options(function: str, options: dict[str, Any]) -> CompositionOptions:
    known = CompositionOptions.__dataclass_fields__
    if unknown := sorted(options.keys() - known):
        raise AudioseqError(
            f"{function} has no option {', '.join(unknown)}; the options are {', '.join(known)}"
        )
    if (chords := options.get("chords")) is not None:
        options = {**options, "chords": load_chords(chords)}
    return CompositionOptions(**options)


def _load(score: str | Path | Score) -> Score:
    return score if isinstance(score, Score) else Score.load(score)
