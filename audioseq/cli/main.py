"""The `audioseq` command: puts the commands together and turns errors into lines and exit codes.

Exit codes: 0 done; 1 something was wrong with an input (told in one line a failure); 2 the command line
itself is wrong; 130 interrupted. Errors that are nobody's input are bugs, and keep their traceback.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from audioseq import __version__
from audioseq.cli.align import align
from audioseq.cli.common import complain, put
from audioseq.cli.compose import Composing, compose
from audioseq.cli.evaluate import evaluate
from audioseq.cli.info import info
from audioseq.cli.lm import app as lm
from audioseq.cli.models import app as models
from audioseq.cli.predict import predict
from audioseq.cli.prepare import prepare
from audioseq.cli.train import train
from audioseq.cli.transcribe import transcribe
from audioseq.cli.tune import tune
from audioseq.errors import AudioseqError

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: it starts in half the time
)
app.command()(transcribe)
app.command(cls=Composing)(compose)
app.command()(train)
app.command()(evaluate)
app.command()(predict)
app.command()(tune)
app.command()(prepare)
app.command()(align)
app.add_typer(lm, name="lm")
app.add_typer(models, name="models")
app.command()(info)


def _version(wanted: bool) -> None:
    if wanted:
        put(f"audioseq {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Turn speech into text, compose music, foretell words, and train the models that do it."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        arguments: what follows the name of the program; None takes them from `sys.argv`.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that is not valid text comes out as it went in
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    try:
        app(arguments if arguments is None else list(arguments), prog_name="audioseq")
    except AudioseqError as error:
        complain(error)
        return 1
    except SystemExit as stop:  # typer ends every command line with it
        return int(stop.code or 0)
    return 0
