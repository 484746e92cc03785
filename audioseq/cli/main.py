"""The `audioseq` command: assembles the commands and maps errors to messages and exit codes.

Exit codes: 0 success; 1 bad input, reported in one line each; 2 bad usage; 130 interrupted. Only
AudioseqError is reported in one line. Any other exception is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from audioseq import __version__
from audioseq.cli.align import align
from audioseq.cli.common import print_error, print_result, silence_stdout
from audioseq.cli.compose import compose
from audioseq.cli.compose_options import ComposeCommand
from audioseq.cli.evaluate import evaluate
from audioseq.cli.info import info
from audioseq.cli.lm import app as lm
from audioseq.cli.models import app as models
from audioseq.cli.predict import predict
from audioseq.cli.prepare import prepare
from audioseq.cli.punctuate import punctuate
from audioseq.cli.serve import serve
from audioseq.cli.train import train
from audioseq.cli.transcribe import transcribe
from audioseq.cli.tune import tune
from audioseq.errors import AudioseqError, FileError

PACKAGES_OF_FULL_INSTALLATION = (
    "torch", "torchaudio", "scipy", "librosa", "matplotlib", "mido", "pretty_midi"
)  # fmt: skip
"""Packages that the light installation leaves out."""

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
)
app.command()(transcribe)
app.command()(align)
app.command()(evaluate)
app.command()(tune)
app.command()(prepare)
app.command()(train)
app.command(cls=ComposeCommand)(compose)
app.command()(predict)
app.command()(punctuate)
app.command()(serve)
app.add_typer(lm, name="lm")
app.add_typer(models, name="models")
app.command()(info)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_result(f"audioseq {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Transcribe speech, generate music, predict text, and train the models."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        arguments: the command line without the program name; None reads `sys.argv`.
    """
    # Threads of OpenMP spin while they wait, which beside other processes takes several times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names that are not valid text print unchanged
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        app(arguments if arguments is None else list(arguments), prog_name="audioseq")
    except AudioseqError as error:
        print_error(error)
        return 1
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES_OF_FULL_INSTALLATION:
            raise
        print_error(
            AudioseqError(
                f"this command needs {error.name}, which is not installed; run: pip install audioseq "
                "(without --no-deps)"
            )
        )
        return 1
    except OSError as error:  # the help, on a full disk
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        print_error(FileError(f"stdout: cannot be written ({error.strerror}); free some space"))
        silence_stdout()
        return 1
    except SystemExit as stop:  # typer ends every command line with it
        return int(stop.code or 0)
    return 0
