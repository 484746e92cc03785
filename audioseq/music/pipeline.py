"""Compose pieces with a model file and options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from audioseq.device import choose_device
from audioseq.errors import AudioseqError
from audioseq.midi import Score
from audioseq.models import open_model
from audioseq.music.composing.composer import DEFAULT_SAMPLING, MAX_BATCH_PIECES, Composer
from audioseq.music.composing.composition import Composition
from audioseq.music.composing.options import DENSITIES, CompositionOptions
from audioseq.music.config import MusicConfig
from audioseq.music.instrumentation import arrange, parse_instruments
from audioseq.music.memorisation.fingerprint import TENSOR_NAME, Fingerprint
from audioseq.music.model import build

__all__ = [
    "DEFAULT_SAMPLING",
    "DENSITIES",
    "MAX_BATCH_PIECES",
    "Composer",
    "Composition",
    "CompositionOptions",
    "compose",
    "load_composer",
]


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
