"""Shared by the commands: options, printing, and error handling for several inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioseq.errors import AudioseqError, DataError
from audioseq.files import read_text
from audioseq.models import default_for

if TYPE_CHECKING:
    from audioseq.speech.decoding.decoder import DecodingOptions

DEFAULT_MODEL = default_for("speech")

MODEL_HELP = "Name of a model (see `audioseq models list`), or path of a .safetensors file."
Model = Annotated[str, typer.Option("-m", "--model", metavar="MODEL", help=MODEL_HELP)]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="Device to run on: auto, cpu, cuda, cuda:1 or mps.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]

Beam = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Beam size of the beam search.", show_default="100"),
]
Lm = Annotated[
    str | None,
    typer.Option(
        metavar="LM|none",
        help="N-gram language model: a name or a file; none to decode without one.",
        show_default="recommended by MODEL",
    ),
]
Rescorer = Annotated[
    str | None,
    typer.Option(
        "--rescore",
        metavar="LM",
        help="Recurrent language model that rescores the n-best list, such as english-lstm.",
    ),
]
HotwordOption = Annotated[
    list[str] | None,
    typer.Option("--hotword", metavar="TEXT", help="Word or phrase to boost; repeatable."),
]
HotwordFile = Annotated[
    Path | None, typer.Option("--hotwords", metavar="FILE", help="File of hotwords, one per line.")
]


def decoding_options(
    recommended: DecodingOptions | None,
    *,
    beam: int | None = None,
    lm: str | None = None,
    rescorer: str | None = None,
    hotwords: Sequence[str] | None = None,
    hotword_file: Path | None = None,
) -> DecodingOptions | Literal["greedy"]:
    """Build decoding options from command-line options; `--lm none` alone selects greedy decoding.

    Args:
        recommended: options of the model card; its language model is the default of `--lm`.
    Raises:
        DataError: the hotword file cannot be read.
    """
    from audioseq.speech.decoding.beam import BeamLimits
    from audioseq.speech.decoding.decoder import DecodingOptions

    lines = read_text(hotword_file, DataError).splitlines() if hotword_file else ()
    boosted = [*(hotwords or ()), *(line.strip() for line in lines if line.strip())]
    name = recommended.lm if lm is None and recommended else lm
    if beam is None and name in (None, "none") and rescorer is None and not boosted:
        return "greedy"
    return DecodingOptions(
        lm=None if name == "none" else name,
        hotwords=tuple(boosted),
        limits=BeamLimits() if beam is None else BeamLimits(beam_size=beam),
        rescorer=rescorer,
    )


def print_result(text: str) -> None:
    """Print a result to stdout and flush; exit with code 0 if the reader has closed the pipe."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The interpreter flushes stdout at exit, which would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def log(text: str) -> None:
    """Print a line to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_error(error: AudioseqError) -> None:
    """Print an error to stderr as one line."""
    log(f"error: {error}")


class ErrorCounter:
    """Prints and counts the errors of single inputs, so that the other inputs are still processed."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Print and count an AudioseqError instead of raising it."""
        try:
            yield
        except AudioseqError as error:
            print_error(error)
            self.count += 1

    def exit_if_any(self) -> None:
        """Exit with code 1 if any error was counted."""
        if self.count:
            raise typer.Exit(1)
