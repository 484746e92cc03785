"""`audioseq compose`: music from a trained model, as MIDI files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from audioseq.cli.common import Device, note, put
from audioseq.errors import AudioseqError

if TYPE_CHECKING:
    from audioseq.music.harmony.pipeline import Harmonisation
    from audioseq.music.pipeline import Composition

SAMPLE_RATE = 44_100
"""Hz, of `--wav`."""
DRAWN = "drawn"
"""What a `--seed` without a value stands for."""


class Composing(TyperCommand):
    """Lets `--seed` stand alone; typer knows no option whose value may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line, with a value for each `--seed`."""
        return super().parse_args(ctx, seeded(args))


def seeded(arguments: Sequence[str]) -> list[str]:
    """Give a value to a `--seed` that has none.

    Example:
        >>> seeded(["--seed", "--bars", "8"]), seeded(["--seed", "7"]), seeded(["--seed", "-1"])
        (['--seed', 'drawn', '--bars', '8'], ['--seed', '7'], ['--seed', '-1'])
    """
    result: list[str] = []
    for word, after in zip(arguments, [*arguments[1:], "--"], strict=True):
        result.append(word)
        if word == "--seed" and after.startswith("-") and not after[1:].isdigit():
            result.append(DRAWN)
    return result


def compose(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE.mid", help="compose-SEED.mid unless given; MELODY-SEED.mid."
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            metavar="[N|FILE.mid]",
            help="Equal numbers make equal music; drawn unless given. A file is taken as --primer.",
        ),
    ] = None,
    style: Annotated[str | None, typer.Option(help="pop, lied, quartet or chorale.")] = None,
    key: Annotated[str | None, typer.Option(help="Such as D, Bb or 'f# minor'.")] = None,
    tempo: Annotated[float | None, typer.Option(metavar="BPM", help="Quarter notes a minute.")] = None,
    density: Annotated[float | None, typer.Option(help="Notes in a quarter.")] = None,
    bars: Annotated[int | None, typer.Option(help="Length in bars; or --seconds.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Length, within a bar; 60 unless given.")] = None,
    harmonise: Annotated[
        Path | None,
        typer.Option(metavar="MELODY.mid", help="Write alto, tenor and bass to a melody, after Bach."),
    ] = None,
    primer: Annotated[Path | None, typer.Option(metavar="FILE.mid", help="Music to go on from.")] = None,
    primer_in_output: Annotated[
        bool, typer.Option("--primer-in-output/--no-primer-in-output", help="Whether it begins the result.")
    ] = True,
    count: Annotated[int, typer.Option("-n", help="Pieces, composed at once.")] = 1,
    best_of: Annotated[
        int,
        typer.Option(
            metavar="K", help="Compose K for each, keep the likeliest that neither gets stuck nor copies."
        ),
    ] = 1,
    temperature: Annotated[
        float | None,
        typer.Option(help="Lower is plainer, higher is wilder; 1.05 unless given, or 0.5 to harmonise."),
    ] = None,
    top_k: Annotated[int, typer.Option(help="Choose among so many values only; 0: all.")] = 0,
    top_p: Annotated[
        float | None,
        typer.Option(
            help="Choose among the likeliest of this probability; 0.98 unless given, or 1 to harmonise."
        ),
    ] = None,
    wav: Annotated[Path | None, typer.Option(metavar="FILE.wav", help="Also render audio.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw a piano roll.")] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="Name of a model, or path of a .safetensors file.")
    ] = None,
    device: Device = "auto",
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there already.")] = False,
) -> None:
    """Compose music and print the path of the MIDI file.

    What is not asked for is chosen as it comes in the music that the model has learnt. With --harmonise, the
    music is a melody that is there already, and three voices below it.
    """
    from audioseq.midi import SUFFIXES, Score
    from audioseq.music import pipeline
    from audioseq.music.generation.sampling import Sampling
    from audioseq.music.harmony import pipeline as harmony

    if seed is not None and seed.lower().endswith(SUFFIXES):
        if primer is not None:
            raise typer.BadParameter("and --primer both name a file to go on from", param_hint="--seed")
        primer, seed = Path(seed), None
    options = pipeline.CompositionOptions(style, key, tempo, density, bars, seconds)
    usual = pipeline.DEFAULT_SAMPLING if harmonise is None else harmony.DEFAULT_SAMPLING
    sampling = Sampling(
        usual.temperature if temperature is None else temperature,
        top_k,
        usual.top_p if top_p is None else top_p,
    )
    for given in (output, wav, plot):
        for path in (_numbered(given, number, count) for number in range(count)) if given else ():
            _check_free(path, force)
    if primer is None and not primer_in_output:
        raise typer.BadParameter("there is no primer to leave out", param_hint="--no-primer-in-output")
    asked = _number(seed)
    pieces: Sequence[Composition | Harmonisation]
    if harmonise is not None:
        if primer is not None or options != pipeline.CompositionOptions():
            raise typer.BadParameter(
                "goes with no style, key, tempo, density, length or primer", param_hint="--harmonise"
            )
        pieces = harmony.harmonise(
            harmonise, asked, model=model, device=device, count=count, sampling=sampling, best_of=best_of
        )
        for remark in pieces[0].remarks:
            note(remark)
    else:
        start = Score.load(primer) if primer is not None else None
        composer = pipeline.load_composer(model, device)
        pieces = composer.compose(
            asked, count=count, options=options, sampling=sampling, primer=start,
            with_primer=primer_in_output, best_of=best_of,
        )  # fmt: skip
    note(f"seed {pieces[0].seed}")
    for piece in pieces:
        if output is not None:
            path = _numbered(output, piece.number, count)
        else:
            name = "compose" if harmonise is None else harmonise.stem
            path = _aside(_numbered(Path(f"{name}-{piece.seed}.mid"), piece.number, count))
        piece.save(path)
        if isinstance(piece, pipeline.Composition) and piece.copied:
            note(f"{path}: seems to share a run of notes with the training data")
        if wav is not None:
            from audioseq import audio
            from audioseq.music.rendering.render import render

            audio.write(_numbered(wav, piece.number, count), render(piece.score, SAMPLE_RATE), SAMPLE_RATE)
        if plot is not None:
            from audioseq.music.analysis.plot import piano_roll

            piano_roll(piece.score, _numbered(plot, piece.number, count))
        put(str(path))


def _number(seed: str | None) -> int | None:
    if seed in (None, DRAWN):
        return None
    try:
        return int(str(seed))
    except ValueError:
        raise typer.BadParameter(
            f"{seed!r} is no whole number, and no .mid file", param_hint="--seed"
        ) from None


def _numbered(path: Path, number: int, count: int) -> Path:
    """Return the path of one of several pieces: `tune.mid`, or of several `tune-1.mid` and so on."""
    return path if count == 1 else path.with_name(f"{path.stem}-{number + 1}{path.suffix}")


def _aside(path: Path) -> Path:
    """Return the path, or the next that is free: `compose-7.mid`, `compose-7-2.mid`."""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _check_free(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise AudioseqError(f"{path}: is there already; --force overwrites it, or choose another name")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise AudioseqError(f"{path}: cannot be written; check that its folder exists and may be written to")
