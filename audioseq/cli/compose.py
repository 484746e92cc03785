"""`audioseq compose`: generate music as MIDI files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from audioseq.cli.common import MODEL_HELP, Device, Force, log, print_result, writing_stdout
from audioseq.cli.paths import check_writable, free_path, numbered_path
from audioseq.errors import FileError

if TYPE_CHECKING:
    from audioseq.midi import Score

WAV_SAMPLE_RATE = 44_100
"""Sample rate of `--wav`, Hz."""
STDOUT = Path("-")
"""Value of `--output` that writes the MIDI file to stdout."""
RANDOM_SEED = "random"
"""Stands for the missing value of `--seed`."""


class ComposeCommand(TyperCommand):
    """Accepts `--seed` without a value, which typer does not support."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line in which `--seed` may have no value."""
        return super().parse_args(ctx, fill_seed(args))


def fill_seed(arguments: Sequence[str]) -> list[str]:
    """Add a value to each `--seed` without one.

    Example:
        >>> fill_seed(["--seed", "--bars", "8"]), fill_seed(["--seed", "7"]), fill_seed(["--seed", "-1"])
        (['--seed', 'random', '--bars', '8'], ['--seed', '7'], ['--seed', '-1'])
    """
    result: list[str] = []
    for word, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        result.append(word)
        if word == "--seed" and following.startswith("-") and not following[1:].isdigit():
            result.append(RANDOM_SEED)
    return result


def compose(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.mid",
            help="Output file; - writes to stdout.",
            show_default="compose-SEED.mid, or MELODY-SEED.mid",
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            metavar="N|FILE.mid",
            help="Random seed: the same seed generates the same piece. A MIDI file is a --primer.",
            show_default="random",
        ),
    ] = None,
    style: Annotated[
        str | None, typer.Option(metavar="STYLE", help="Style: pop, lied, quartet or chorale.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Key, such as D, Bb, 'f# minor' or 'E-flat major'.")
    ] = None,
    tempo: Annotated[
        float | None, typer.Option(metavar="BPM", help="Tempo in quarter notes per minute.")
    ] = None,
    density: Annotated[
        float | None, typer.Option(metavar="NOTES", help="Note density in notes per quarter.")
    ] = None,
    bars: Annotated[
        int | None, typer.Option(metavar="N", help="Length in bars, instead of --seconds.")
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Length in seconds, accurate to one bar.", show_default="60"),
    ] = None,
    harmonise: Annotated[
        Path | None,
        typer.Option(
            metavar="MELODY.mid", help="Harmonise this melody: add alto, tenor and bass, in Bach's style."
        ),
    ] = None,
    primer: Annotated[
        Path | None, typer.Option(metavar="FILE.mid", help="Primer: music that the piece continues.")
    ] = None,
    primer_in_output: Annotated[
        bool,
        typer.Option(
            "--primer-in-output/--no-primer-in-output", help="Whether the output begins with the primer."
        ),
    ] = True,
    count: Annotated[int, typer.Option("-n", metavar="N", help="Number of pieces.")] = 1,
    best_of: Annotated[
        int,
        typer.Option(
            metavar="K",
            help="Generate K candidates per piece and keep the most probable, preferring those that neither "
            "get stuck nor copy the training data.",
        ),
    ] = 1,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            help="Sampling temperature: lower is more predictable.",
            show_default="1.05, or 0.5 with --harmonise",
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option(metavar="K", help="Sample from the K most probable values; 0 for all.")
    ] = 0,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Sample from the most probable values of this total probability.",
            show_default="0.98, or 1 with --harmonise",
        ),
    ] = None,
    wav: Annotated[
        Path | None,
        typer.Option(metavar="FILE.wav", help="Also render the audio to this file (.wav or .flac)."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Also plot a piano roll to this file (.png, .svg or .pdf)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            help=MODEL_HELP,
            show_default="music-small, or chorale with --harmonise",
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
) -> None:
    """Generate music as a MIDI file.

    Prints the path of the file; the seed goes to stderr. Style, key, tempo and density are sampled from the
    training distribution unless given. With -n, the files are numbered: FILE-1.mid, FILE-2.mid and so on.

    Reads MIDI files of type 0 and 1, and RIFF (.rmi); damaged files as far as possible, with a warning.

    \b
    audioseq compose --seed 7 --style quartet --key "d minor" --bars 32
    audioseq compose --primer tune.mid --no-primer-in-output
    audioseq compose --harmonise melody.mid --best-of 16
    """
    from audioseq.midi import SUFFIXES, Score
    from audioseq.music import pipeline
    from audioseq.music.generation.sampling import Sampling
    from audioseq.music.harmony import pipeline as harmony

    if seed is not None and seed.lower().endswith(SUFFIXES):
        if primer is not None:
            raise typer.BadParameter("and --primer both name a primer; give one of them", param_hint="--seed")
        primer, seed = Path(seed), None
    options = pipeline.CompositionOptions(style, key, tempo, density, bars, seconds)
    defaults = pipeline.DEFAULT_SAMPLING if harmonise is None else harmony.DEFAULT_SAMPLING
    sampling = Sampling(
        defaults.temperature if temperature is None else temperature,
        top_k,
        defaults.top_p if top_p is None else top_p,
    )
    if output == STDOUT and count > 1:
        raise typer.BadParameter("cannot hold several pieces; give a file name", param_hint="-o -")
    _check_names(output, wav, plot)
    for path in filter(None, (output if output != STDOUT else None, wav, plot)):
        for number in range(count):
            check_writable(numbered_path(path, number, count), force)
    if primer is None and not primer_in_output:
        raise typer.BadParameter("needs --primer", param_hint="--no-primer-in-output")
    seed_number = _parse_seed(seed)
    pieces: Sequence[pipeline.Composition | harmony.Harmonisation]
    if harmonise is not None:
        if primer is not None or options != pipeline.CompositionOptions():
            raise typer.BadParameter(
                "cannot be combined with a style, key, tempo, density, length or primer",
                param_hint="--harmonise",
            )
        pieces = harmony.harmonise(
            harmonise, seed_number, model=model, device=device, count=count, sampling=sampling,
            best_of=best_of,
        )  # fmt: skip
        for warning in pieces[0].warnings:
            log(warning)
    else:
        start = Score.load(primer) if primer is not None else None
        for warning in start.warnings if start is not None else ():
            log(warning)
        pieces = pipeline.load_composer(model, device).compose(
            seed_number, count=count, options=options, sampling=sampling, primer=start,
            with_primer=primer_in_output, best_of=best_of,
        )  # fmt: skip
    log(f"seed {pieces[0].seed}")
    name = "compose" if harmonise is None else harmonise.stem
    for piece in pieces:
        numbered = numbered_path(output or Path(f"{name}-{piece.seed}.mid"), piece.number, count)
        path = numbered if output is not None else free_path(numbered)
        if output != STDOUT:
            piece.save(path)
        if isinstance(piece, pipeline.Composition) and piece.copied:
            log(f"{path}: probably repeats a run of notes of the training data")
        if wav is not None:
            _write_wav(piece.score, numbered_path(wav, piece.number, count))
        if plot is not None:
            from audioseq.music.analysis.plot import piano_roll

            piano_roll(piece.score, numbered_path(plot, piece.number, count))
        if output == STDOUT:
            with writing_stdout():
                sys.stdout.buffer.write(piece.score.to_bytes())
                sys.stdout.buffer.flush()
        else:
            print_result(str(path))


def _check_names(output: Path | None, wav: Path | None, plot: Path | None) -> None:
    """Raise an error if the suffix of an output file does not fit, before any work is done for it."""
    from audioseq.midi import SUFFIXES
    from audioseq.music.analysis.plot import check

    if output is not None and output.suffix.lower() not in ("", *SUFFIXES):
        raise FileError(f"{output}: is not the name of a MIDI file; name it .mid, and use --wav for audio")
    if wav is not None:
        from audioseq.audio import WRITE_SUFFIXES

        if wav.suffix.lower() not in WRITE_SUFFIXES:
            raise FileError(f"{wav}: is not the name of a wav file; name it {' or '.join(WRITE_SUFFIXES)}")
    if plot is not None:
        check(plot)


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


def _write_wav(score: Score, path: Path) -> None:
    from audioseq import audio
    from audioseq.music.rendering.render import render

    audio.write(path, render(score, WAV_SAMPLE_RATE), WAV_SAMPLE_RATE)
