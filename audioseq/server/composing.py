"""Composition for requests, with models that are loaded at their first use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from audioseq.errors import ConfigError, DataError, MidiError
from audioseq.midi import Score
from audioseq.server.work import Check

if TYPE_CHECKING:
    from audioseq.music.harmony.pipeline import Harmonisation, Harmoniser
    from audioseq.music.pipeline import Composer, Composition, CompositionOptions

MAX_BARS = 256
MAX_SECONDS = 600.0
"""Maximum length of a requested piece, and of a primer, seconds."""
MAX_PIECES = 16
"""Maximum number of candidates of a request: the pieces, times the candidates for each."""


@dataclass(frozen=True)
class ComposeOptions:
    """What to compose."""

    options: CompositionOptions | None = None
    """Style, key, tempo, density, length, chords and meter; None to leave them open."""
    seed: int | None = None
    """Equal seeds give equal pieces; None for a random one."""
    count: int = 1
    """Number of pieces."""
    best_of: int = 1
    """Number of candidates for each piece, of which the best one is returned."""
    temperature: float | None = None
    """Sampling temperature; None for the default of the model."""
    primer: bytes | None = None
    """MIDI file to continue, or to harmonise."""
    harmonise: bool = False
    """Whether to add alto, tenor and bass to the melody of the primer instead of continuing it."""


class SharedComposer:
    """Composes and harmonises; not for several threads at once.

    Args:
        model: name or file of the music model; None for the default one.
        harmony_model: the same of the harmony model.
        device: as in `load_harmoniser`.
    """

    def __init__(self, model: str | None, harmony_model: str | None, device: str) -> None:
        self._model, self._harmony_model, self._device = model, harmony_model, device

    @cached_property
    def _composer(self) -> Composer:
        from audioseq.music.pipeline import load_composer

        return load_composer(self._model)

    @cached_property
    def _harmoniser(self) -> Harmoniser:
        from audioseq.music.harmony.pipeline import load_harmoniser

        return load_harmoniser(self._harmony_model, self._device)

    def compose(self, wanted: ComposeOptions, check: Check) -> Sequence[Composition | Harmonisation]:
        """Compose pieces, or harmonise a melody.

        Args:
            wanted: what to compose.
            check: called repeatedly; an error that it raises stops the composition.
        Raises:
            ConfigError: an option is out of range, or does not fit the others.
            MidiError, DataError: the primer cannot be used.
        """
        if not 1 <= wanted.count * wanted.best_of <= MAX_PIECES:
            raise ConfigError(f"count times best_of is limited to 1..{MAX_PIECES}; ask for fewer pieces")
        if wanted.harmonise:
            return self._harmonise(wanted, check)
        from audioseq.music.pipeline import DEFAULT_SAMPLING

        options, sampling = wanted.options, DEFAULT_SAMPLING
        if options is not None and ((options.bars or 0) > MAX_BARS or (options.seconds or 0) > MAX_SECONDS):
            raise ConfigError(f"the length is limited to {MAX_BARS} bars and {MAX_SECONDS:g} seconds")
        if wanted.temperature is not None:
            sampling = replace(sampling, temperature=wanted.temperature)
        primer = None if wanted.primer is None else _load(wanted.primer)
        return self._composer.compose(
            wanted.seed,
            count=wanted.count,
            options=options,
            sampling=sampling,
            primer=primer,
            best_of=wanted.best_of,
            check=check,
        )

    def _harmonise(self, wanted: ComposeOptions, check: Check) -> Sequence[Harmonisation]:
        from audioseq.music.harmony.pipeline import DEFAULT_SAMPLING

        if wanted.primer is None:
            raise ConfigError("harmonise needs a primer: upload the melody as a MIDI file")
        if wanted.options is not None:
            raise ConfigError("harmonise takes the melody as it is; leave out the other musical options")
        sampling = DEFAULT_SAMPLING
        if wanted.temperature is not None:
            sampling = replace(sampling, temperature=wanted.temperature)
        melody = _load(wanted.primer, pedal=False)  # a pedal would turn the melody into chords
        try:
            return self._harmoniser.harmonise(
                melody,
                wanted.seed,
                count=wanted.count,
                sampling=sampling,
                best_of=wanted.best_of,
                check=check,
            )
        except DataError as error:
            raise DataError(f"primer: {error}") from None


def _load(content: bytes, *, pedal: bool = True) -> Score:
    try:
        score = Score.load(content, pedal=pedal)
    except MidiError as error:
        raise MidiError(str(error).replace("MIDI data", "primer", 1)) from None
    if score.end > MAX_SECONDS:
        raise MidiError(f"primer: is longer than the limit of {MAX_SECONDS:g} s; shorten it")
    return score
