"""The options of `audioseq compose`, and how its command line is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from audioseq.cli.common import MODEL_HELP

RANDOM_SEED = "random"
"""Stands for the missing value of `--seed`."""
OWN_PANEL, MUSIC_PANEL, SAMPLING_PANEL = "Your music", "The music", "Sampling"
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


def _option(panel: str, metavar: str, help: str, **more: Any) -> Any:
    return typer.Option(metavar=metavar, rich_help_panel=panel, help=help, **more)


Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Output file, as MIDI (.mid), MusicXML (.musicxml) or ABC (.abc); - writes MIDI to stdout.",
        show_default="compose-SEED.mid, or FILE-SEED.mid",
    ),
]
Seed = Annotated[
    str | None,
    _option(
        SAMPLING_PANEL, "N|FILE.mid",
        "Random seed: the same seed generates the same piece. A MIDI file is a --primer.",
        show_default="random",
    ),
]  # fmt: skip
Style = Annotated[str | None, _option(MUSIC_PANEL, "STYLE", "Style: pop, lied, quartet or chorale.")]
Key = Annotated[str | None, _option(MUSIC_PANEL, "KEY", "Key, such as D, Bb, 'f# minor' or 'E-flat major'.")]
Tempo = Annotated[float | None, _option(MUSIC_PANEL, "BPM", "Tempo in quarter notes per minute.")]
Density = Annotated[
    float | None, _option(MUSIC_PANEL, "NOTES", "Note density in notes per quarter, 0.5 to 16.")
]
Chords = Annotated[
    str | None,
    _option(
        MUSIC_PANEL,
        "CHORDS|FILE.mid",
        "Chords bar by bar, repeated: '| C | Am7 | F G7 |', Roman numerals, or a MIDI file with chords.",
    ),
]
Meter = Annotated[str | None, _option(MUSIC_PANEL, "N/D", "Time signature, such as 3/4 or 6/8.")]
Pickup = Annotated[
    float | None,
    _option(
        MUSIC_PANEL, "QUARTERS", "Length of an incomplete bar before the first, in quarter notes, such as 1.",
        show_default="none",
    ),
]  # fmt: skip
Swing = Annotated[
    float | None,
    _option(
        MUSIC_PANEL, "PERCENT", "Share of the first of two eighths in their quarter, 50 to 75.",
        show_default="50, straight",
    ),
]  # fmt: skip
Pedal = Annotated[
    bool | None,
    typer.Option(
        "--pedal/--no-pedal", rich_help_panel=MUSIC_PANEL, show_default="in new pop pieces",
        help="Whether the sustain pedal holds the piano, changed as pianists do.",
    ),
]  # fmt: skip
Humanise = Annotated[
    bool,
    typer.Option(
        "--humanise", rich_help_panel=MUSIC_PANEL,
        help="Give MIDI and audio the timing of a player, slightly off the beat; sheet music stays exact.",
    ),
]  # fmt: skip
Form = Annotated[
    str | None,
    _option(
        MUSIC_PANEL, "LETTERS", "Sections, such as AABA: those with equal letters return, with new ends."
    ),
]
Bars = Annotated[int | None, _option(MUSIC_PANEL, "N", "Length in bars, instead of --seconds.")]
Seconds = Annotated[
    float | None,
    _option(MUSIC_PANEL, "SECONDS", "Length in seconds, accurate to one bar.", show_default="60"),
]
Instruments = Annotated[
    str | None,
    _option(
        MUSIC_PANEL, "NAMES",
        "Instruments for melody, bass and chords, each in its range: 'flute, cello, piano'.",
        show_default="those of the style",
    ),
]  # fmt: skip
PrimerFile = Annotated[Path | None, _option(OWN_PANEL, "FILE.mid", "Primer: music that the piece continues.")]
PrimerInOutput = Annotated[
    bool,
    typer.Option(
        "--primer-in-output/--no-primer-in-output",
        rich_help_panel=OWN_PANEL,
        help="Whether the output begins with the primer.",
    ),
]
Source = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE.mid",
        rich_help_panel=OWN_PANEL,
        help="Piece of which --fill rewrites some bars.",
    ),
]
Fill = Annotated[
    str | None,
    _option(OWN_PANEL, "BARS", "Bars to rewrite, such as 9-16, to fit the bars before and after them."),
]
Vary = Annotated[Path | None, _option(OWN_PANEL, "FILE.mid", "Vary this piece: rewrite some of its bars.")]
Strength = Annotated[
    float | None,
    _option(OWN_PANEL, "SHARE", "Share of the bars that --vary changes, 0 to 1.", show_default="0.5"),
]
Accompany = Annotated[
    Path | None,
    _option(OWN_PANEL, "MELODY.mid", "Accompany this melody, as a pop song, Lied or quartet."),
]
Harmonise = Annotated[
    Path | None,
    _option(OWN_PANEL, "MELODY.mid", "Harmonise this melody: add alto, tenor and bass, in Bach's style."),
]
Count = Annotated[
    int, typer.Option("-n", metavar="N", rich_help_panel=SAMPLING_PANEL, help="Number of pieces.")
]
BestOf = Annotated[
    int | None,
    _option(
        SAMPLING_PANEL, "K",
        "Generate K candidates per piece and keep the most probable, repeats not counted; prefers those that "
        "end with a cadence, and neither get stuck nor copy the training data.",
        show_default="1, or 8 with --fill, --vary and --accompany",
    ),
]  # fmt: skip
Temperature = Annotated[
    float | None,
    _option(
        SAMPLING_PANEL, "T", "Sampling temperature: lower is more predictable.",
        show_default="1.05, or 0.5 with --harmonise",
    ),
]  # fmt: skip
TopK = Annotated[int, _option(SAMPLING_PANEL, "K", "Sample from the K most probable values; 0 for all.")]
TopP = Annotated[
    float | None,
    _option(
        SAMPLING_PANEL, "P", "Sample from the most probable values of this total probability.",
        show_default="0.98, or 1 with --harmonise",
    ),
]  # fmt: skip
Model = Annotated[
    str | None,
    typer.Option(
        "-m", "--model", metavar="MODEL", help=MODEL_HELP,
        show_default="music-small, or chorale with --harmonise",
    ),
]  # fmt: skip
