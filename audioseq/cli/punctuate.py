"""`audioseq punctuate`: restore the punctuation and the case of a text."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from audioseq.cli.common import MODEL_HELP, Device, Threads, log, writing_stdout


def punctuate(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|-", help="Text, plain or compressed (.xz, .gz, .bz2); - reads stdin."),
    ],
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", metavar="MODEL", help=MODEL_HELP, show_default="english-punctuation"),
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Restore the punctuation and the case of a text.

    Prints a line for each line, as soon as it is read. Words do not change, only their case and the marks
    after them. Each line begins with a sentence. A line that has capitals and marks is printed unchanged, and
    so are words in other alphabets.
    """
    from audioseq.language import corpus
    from audioseq.language.punctuation.pipeline import load_punctuator

    punctuator = load_punctuator(model, device)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: log(f"warning: {message}")
        warnings.simplefilter("always", UserWarning)
        for line in corpus.read_lines([file]):
            with writing_stdout():
                for part in punctuator.punctuate_parts(line.rstrip("\r\n")):
                    sys.stdout.write(part)
                print(flush=True)
