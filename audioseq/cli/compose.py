"""`audioseq compose`: generate music as MIDI files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from audioseq.cli.common import MODEL_HELP, Device, Force, log
from audioseq.cli.pieces import Abc, MusicXml, Outputs, Plot, Reverb, SoundFont, Stems, Wav

RANDOM_SEED = "random"
"""Stands for the missing value of `--seed`."""
MUSIC_PANEL, SAMPLING_PANEL = "The music", "Sampling"
"""Titles of groups of options in the help."""


class ComposeCommand(TyperCommand):
    """Accepts `--seed` without a value, and groups the options in the help; typer does neither."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse a command line in which `--seed` may have no value."""
        return super().parse_args(ctx, fill_seed(args))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options in groups: their `rich_help_panel`, which plain help does not know."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or "Options", []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)


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
            metavar="FILE",
            help="Output file, as MIDI (.mid), MusicXML (.musicxml) or ABC (.abc); - writes MIDI to stdout.",
            show_default="compose-SEED.mid, or MELODY-SEED.mid",
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            metavar="N|FILE.mid",
            rich_help_panel=SAMPLING_PANEL,
            help="Random seed: the same seed generates the same piece. A MIDI file is a --primer.",
            show_default="random",
        ),
    ] = None,
    style: Annotated[
        str | None,
        typer.Option(
            metavar="STYLE", rich_help_panel=MUSIC_PANEL, help="Style: pop, lied, quartet or chorale."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            rich_help_panel=MUSIC_PANEL,
            help="Key, such as D, Bb, 'f# minor' or 'E-flat major'.",
        ),
    ] = None,
    tempo: Annotated[
        float | None,
        typer.Option(metavar="BPM", rich_help_panel=MUSIC_PANEL, help="Tempo in quarter notes per minute."),
    ] = None,
    density: Annotated[
        float | None,
        typer.Option(
            metavar="NOTES", rich_help_panel=MUSIC_PANEL, help="Note density in notes per quarter, 0.5 to 16."
        ),
    ] = None,
    chords: Annotated[
        str | None,
        typer.Option(
            metavar="CHORDS",
            rich_help_panel=MUSIC_PANEL,
            help="Chords bar by bar, repeated: '| C | Am7 | F G7 |', or Roman numerals.",
        ),
    ] = None,
    meter: Annotated[
        str | None,
        typer.Option(metavar="N/D", rich_help_panel=MUSIC_PANEL, help="Time signature, such as 3/4 or 6/8."),
    ] = None,
    bars: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=MUSIC_PANEL, help="Length in bars, instead of --seconds."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            rich_help_panel=MUSIC_PANEL,
            help="Length in seconds, accurate to one bar.",
            show_default="60",
        ),
    ] = None,
    harmonise: Annotated[
        Path | None,
        typer.Option(
            metavar="MELODY.mid",
            rich_help_panel=MUSIC_PANEL,
            help="Harmonise this melody: add alto, tenor and bass, in Bach's style.",
        ),
    ] = None,
    primer: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.mid", rich_help_panel=MUSIC_PANEL, help="Primer: music that the piece continues."
        ),
    ] = None,
    primer_in_output: Annotated[
        bool,
        typer.Option(
            "--primer-in-output/--no-primer-in-output",
            rich_help_panel=MUSIC_PANEL,
            help="Whether the output begins with the primer.",
        ),
    ] = True,
    count: Annotated[
        int, typer.Option("-n", metavar="N", rich_help_panel=SAMPLING_PANEL, help="Number of pieces.")
    ] = 1,
    best_of: Annotated[
        int,
        typer.Option(
            metavar="K",
            rich_help_panel=SAMPLING_PANEL,
            help="Generate K candidates per piece and keep the most probable, repeats not counted; prefers "
            "those that end with a cadence, and neither get stuck nor copy the training data.",
        ),
    ] = 1,
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            rich_help_panel=SAMPLING_PANEL,
            help="Sampling temperature: lower is more predictable.",
            show_default="1.05, or 0.5 with --harmonise",
        ),
    ] = None,
    top_k: Annotated[
        int,
        typer.Option(
            metavar="K",
            rich_help_panel=SAMPLING_PANEL,
            help="Sample from the K most probable values; 0 for all.",
        ),
    ] = 0,
    top_p: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            rich_help_panel=SAMPLING_PANEL,
            help="Sample from the most probable values of this total probability.",
            show_default="0.98, or 1 with --harmonise",
        ),
    ] = None,
    instruments: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            rich_help_panel=MUSIC_PANEL,
            help="Instruments for melody, bass and chords, each in its range: 'flute, cello, piano'.",
            show_default="those of the style",
        ),
    ] = None,
    wav: Wav = None,
    stems: Stems = None,
    reverb: Reverb = True,
    soundfont: SoundFont = None,
    musicxml: MusicXml = None,
    abc: Abc = None,
    plot: Plot = None,
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

    Prints the path of the file; the seed, style, key, tempo and density go to stderr. Style, key, tempo and
    density are those of the primer, or sampled from the training distribution, unless given. With -n, the
    files are numbered: FILE-1.mid, FILE-2.mid and so on.

    Reads MIDI files of type 0 and 1, and RIFF (.rmi); damaged files as far as possible, with a warning.

    \b
    audioseq compose --seed 7 --style quartet --key "d minor" --bars 32
    audioseq compose --style pop --chords "| C | Am7 | F | G7 |" --bars 16 --musicxml song.musicxml
    audioseq compose --primer tune.mid --no-primer-in-output
    audioseq compose --harmonise melody.mid --best-of 16
    """
    from audioseq.midi import SUFFIXES, Score
    from audioseq.music import pipeline
    from audioseq.music.generation.sampling import Sampling
    from audioseq.music.harmony import pipeline as harmony
    from audioseq.music.instrumentation import arrange, parse_instruments

    if seed is not None and seed.lower().endswith(SUFFIXES):
        if primer is not None:
            raise typer.BadParameter("and --primer both name a primer; give one of them", param_hint="--seed")
        primer, seed = Path(seed), None
    options = pipeline.CompositionOptions(style, key, tempo, density, bars, seconds, chords, meter)
    defaults = pipeline.DEFAULT_SAMPLING if harmonise is None else harmony.DEFAULT_SAMPLING
    sampling = Sampling(
        defaults.temperature if temperature is None else temperature,
        top_k,
        defaults.top_p if top_p is None else top_p,
    )
    programs = parse_instruments(instruments) if instruments is not None else None
    outputs = Outputs(output, wav, plot, musicxml, abc, stems, reverb, soundfont)
    outputs.check(count, force)
    if primer is None and not primer_in_output:
        raise typer.BadParameter("needs --primer", param_hint="--no-primer-in-output")
    seed_number = _parse_seed(seed)
    pieces: Sequence[pipeline.Composition | harmony.Harmonisation]
    if harmonise is not None:
        if primer is not None or options != pipeline.CompositionOptions():
            raise typer.BadParameter(
                "cannot be combined with a style, key, tempo, density, length, chords, meter or primer",
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
        score = piece.score if programs is None else arrange(piece.score, programs)
        path = outputs.write(score, f"{name}-{piece.seed}", piece.number, count)
        if isinstance(piece, pipeline.Composition):
            log(f"{path}: {piece.summary}")
            for warning in piece.warnings:
                log(f"{path}: {warning}")


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
