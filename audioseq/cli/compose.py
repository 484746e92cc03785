"""`audioseq compose`: generate music as MIDI files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from audioseq.cli import compose_options as o
from audioseq.cli.common import Device, Force, log
from audioseq.cli.compose_options import RANDOM_SEED
from audioseq.cli.pieces import Abc, MusicXml, Outputs, Plot, Reverb, SoundFont, Stems, Wav
from audioseq.errors import DataError

if TYPE_CHECKING:
    from audioseq.music.composing.composer import Composer
    from audioseq.music.composing.composition import Composition
    from audioseq.music.harmony.pipeline import Harmonisation


def compose(
    output: o.Output = None,
    seed: o.Seed = None,
    style: o.Style = None,
    key: o.Key = None,
    tempo: o.Tempo = None,
    density: o.Density = None,
    chords: o.Chords = None,
    meter: o.Meter = None,
    pickup: o.Pickup = None,
    swing: o.Swing = None,
    pedal: o.Pedal = None,
    humanise: o.Humanise = False,
    form: o.Form = None,
    bars: o.Bars = None,
    seconds: o.Seconds = None,
    instruments: o.Instruments = None,
    primer: o.PrimerFile = None,
    primer_in_output: o.PrimerInOutput = True,
    source: o.Source = None,
    fill: o.Fill = None,
    vary: o.Vary = None,
    strength: o.Strength = None,
    accompany: o.Accompany = None,
    harmonise: o.Harmonise = None,
    count: o.Count = 1,
    best_of: o.BestOf = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = 0,
    top_p: o.TopP = None,
    wav: Wav = None,
    stems: Stems = None,
    reverb: Reverb = True,
    soundfont: SoundFont = None,
    musicxml: MusicXml = None,
    abc: Abc = None,
    plot: Plot = None,
    model: o.Model = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Generate music as a MIDI file.

    Prints the path of the file; the seed, style, key, tempo and density go to stderr. Style, key, tempo and
    density are those of your music, or sampled from the training distribution, unless given. With -n, the
    files are numbered: FILE-1.mid, FILE-2.mid and so on.

    Reads MIDI files of type 0 and 1, and RIFF (.rmi); damaged files as far as possible, with a warning.

    \b
    audioseq compose --seed 7 --style quartet --key "d minor" --bars 32
    audioseq compose --style pop --chords "| C | Am7 | F | G7 |" --bars 16 --musicxml song.musicxml
    audioseq compose --style lied --form AABA --bars 32
    audioseq compose --primer tune.mid --no-primer-in-output
    audioseq compose --from song.mid --fill 9-16
    audioseq compose --vary song.mid --strength 0.3
    audioseq compose --accompany melody.mid --style lied
    audioseq compose --harmonise melody.mid --best-of 16
    """
    from audioseq.midi import SUFFIXES
    from audioseq.music import pipeline
    from audioseq.music.generation.sampling import Sampling
    from audioseq.music.instrumentation import arrange, parse_instruments
    from audioseq.music.representation.chord_track import load_chords

    if seed is not None and seed.lower().endswith(SUFFIXES):
        if primer is not None:
            raise typer.BadParameter("and --primer both name a primer; give one of them", param_hint="--seed")
        primer, seed = Path(seed), None
    if chords is not None and chords.lower().endswith(SUFFIXES):
        chords = load_chords(chords)
        log(f"chords: {chords}")
    options = pipeline.CompositionOptions(
        style, key, tempo, density, bars, seconds, chords, meter, swing, pedal, humanise, pickup
    )
    defaults = pipeline.DEFAULT_SAMPLING
    if harmonise is not None:
        from audioseq.music.harmony import pipeline as harmony  # imports torch

        defaults = harmony.DEFAULT_SAMPLING
    elif device not in ("auto", "cpu"):
        message = "needs --harmonise; other music is generated on the CPU"
        raise typer.BadParameter(message, param_hint="--device")
    sampling = Sampling(
        defaults.temperature if temperature is None else temperature,
        top_k,
        defaults.top_p if top_p is None else top_p,
    )
    programs = parse_instruments(instruments) if instruments is not None else None
    outputs = Outputs(output, wav, plot, musicxml, abc, stems, reverb, soundfont)
    outputs.check(count, force)
    files = {"--primer": primer, "--from": source, "--vary": vary, "--accompany": accompany}
    own = _find_own({**files, "--harmonise": harmonise})
    for name, value, needed in (
        ("--no-primer-in-output", None if primer_in_output else False, "--primer"),
        ("--fill", fill, "--from"), ("--strength", strength, "--vary"),
    ):  # fmt: skip
        if value is not None and (own is None or own[0] != needed):
            raise typer.BadParameter(f"needs {needed}", param_hint=name)
    if source is not None and fill is None:
        raise typer.BadParameter("needs --fill, the bars to rewrite", param_hint="--from")
    if form is not None and own is not None:
        raise typer.BadParameter(f"cannot be combined with {own[0]}", param_hint="--form")
    seed_number = _parse_seed(seed)
    pieces: Sequence[Composition | Harmonisation]
    if harmonise is not None:
        if options != pipeline.CompositionOptions():
            raise typer.BadParameter(
                "cannot be combined with a style, key, tempo, density, length, chords, meter, pickup, "
                "swing, pedal or humanise",
                param_hint="--harmonise",
            )
        pieces = harmony.harmonise(
            harmonise, seed_number, model=model, device=device, count=count, sampling=sampling,
            best_of=1 if best_of is None else best_of,
        )  # fmt: skip
        for warning in pieces[0].warnings:
            log(warning)
    else:
        more = {} if best_of is None else {"best_of": best_of}
        task = _Task(own, fill, strength, primer_in_output, form)
        pieces = task.run(
            pipeline.load_composer(model), seed_number, count=count, options=options,
            sampling=sampling, **more,
        )  # fmt: skip
    log(f"seed {pieces[0].seed}")
    name = "compose" if own is None or primer is not None else own[1].stem
    for piece in pieces:
        if programs is not None:
            piece = replace(piece, score=arrange(piece.score, programs))
        played = piece.performance if isinstance(piece, pipeline.Composition) else piece.score
        path = outputs.write(piece.score, played, f"{name}-{piece.seed}", piece.number, count)
        if isinstance(piece, pipeline.Composition):
            log(f"{path}: {piece.summary}")
            for warning in piece.warnings:
                log(f"{path}: {warning}")


@dataclass(frozen=True)
class _Task:
    """What to do with music of the user.

    Args:
        own: option and path of the music; None for new pieces.
        fill: bars to rewrite.
        strength: share of the bars to vary.
        with_primer: whether the result includes the primer.
        form: sections of a new piece.
    """

    own: tuple[str, Path] | None
    fill: str | None
    strength: float | None
    with_primer: bool
    form: str | None

    def run(self, composer: Composer, seed: int | None, **more: Any) -> list[Composition]:
        """Return the pieces."""
        from audioseq.midi import Score
        from audioseq.music.composing.composer import DEFAULT_STRENGTH
        from audioseq.music.composing.options import parse_bars

        if self.own is None:
            return (
                composer.compose_form(self.form, seed, **more)
                if self.form
                else composer.compose(seed, **more)
            )
        option, path = self.own
        score = Score.load(path)
        for warning in score.warnings:
            log(warning)
        try:
            if option == "--from":
                return composer.fill(score, parse_bars(str(self.fill)), seed, **more)
            if option == "--vary":
                strength = DEFAULT_STRENGTH if self.strength is None else self.strength
                return composer.vary(score, strength, seed, **more)
            if option == "--accompany":
                return composer.accompany(score, seed, **more)
            return composer.compose(seed, primer=score, with_primer=self.with_primer, **more)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def _find_own(files: Mapping[str, Path | None]) -> tuple[str, Path] | None:
    """Return the option and the path of the music to start from, if any."""
    found = [(option, path) for option, path in files.items() if path is not None]
    if len(found) > 1:
        other = found[0][0]
        raise typer.BadParameter(
            f"and {other} both name your music; give one of them", param_hint=found[1][0]
        )
    return found[0] if found else None


def _parse_seed(text: str | None) -> int | None:
    """Return the seed, or None for a random one."""
    if text in (None, RANDOM_SEED):
        return None
    try:
        return int(str(text))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a whole number nor a .mid file", param_hint="--seed"
        ) from None
