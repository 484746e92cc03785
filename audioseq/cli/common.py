"""Shared by the commands: options, printing, and error handling for several inputs."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from audioseq.errors import AudioseqError, DataError, FileError
from audioseq.files import printable, read_text
from audioseq.models import default_for

if TYPE_CHECKING:
    from audioseq.speech.decoding.decoder import DecodingOptions
    from audioseq.speech.pipeline import Recogniser

DEFAULT_MODEL = default_for("speech")

MODEL_HELP = "Name of a model (see `audioseq models list`), or path of a .safetensors or .onnx file."
Model = Annotated[str, typer.Option("-m", "--model", metavar="MODEL", help=MODEL_HELP)]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Device = Annotated[
    str, typer.Option(metavar="DEVICE", help="Device to run on: auto, cpu, cuda, cuda:1 or mps.")
]
Runtime = Annotated[
    Literal["auto", "onnx", "torch"],
    typer.Option(
        help="Library that runs the model: onnx starts faster and needs no torch; auto is torch on a GPU, "
        "else onnx."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number of threads on the CPU.",
        show_default="OMP_NUM_THREADS, or one per core",
        callback=lambda number: _set_threads(number),
    ),
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
        metavar="LM|none",
        help="Recurrent language model for rescoring: a name or a file; none for no rescoring.",
        show_default="recommended by MODEL",
    ),
]
HotwordOption = Annotated[
    list[str] | None,
    typer.Option("--hotword", metavar="TEXT", help="Word or phrase to boost; repeatable."),
]
HotwordFile = Annotated[
    Path | None, typer.Option("--hotwords", metavar="FILE", help="File of hotwords, one per line.")
]


def _set_threads(number: int | None) -> int | None:
    """Limit the threads of torch, which may not be imported yet."""
    if number is not None:
        os.environ["OMP_NUM_THREADS"] = str(number)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(number)
    return number


def decoding_options(
    recogniser: Recogniser,
    *,
    beam: int | None = None,
    lm: str | None = None,
    rescorer: str | None = None,
    hotwords: Sequence[str] | None = None,
    hotword_file: Path | None = None,
) -> DecodingOptions | Literal["greedy"]:
    """Build decoding options from command-line options; `--lm none` alone selects greedy decoding.

    Args:
        recogniser: the model; its recommended language models are the defaults of `--lm` and `--rescore`.
            With another n-gram model, the default is no rescoring.
    Raises:
        DataError: the hotword file cannot be read.
    """
    from audioseq.speech.decoding.beam_search import BeamLimits
    from audioseq.speech.decoding.decoder import DecodingOptions

    boosted = list(hotwords or ())
    if hotword_file is not None:
        boosted += _read_hotwords(hotword_file, recogniser.tokenizer.alphabet)
    recommended = recogniser.recommended_options
    chosen: list[str | Path | None] = [lm, rescorer]
    if recommended is not None and lm in (None, recommended.lm):
        chosen = [recommended.lm, rescorer or recommended.rescorer]
    name, second = (None if each == "none" else each for each in chosen)
    if beam is None and name is None and second is None and not boosted:
        return "greedy"
    return DecodingOptions(
        lm=name,
        hotwords=tuple(boosted),
        limits=BeamLimits() if beam is None else BeamLimits(beam_size=beam),
        rescorer=second,
    )


def _read_hotwords(path: Path, alphabet: str) -> list[str]:
    """Return the hotwords of a file; warn of the lines that the model cannot emit, and leave them out."""
    from audioseq.speech.decoding.hotwords import normalise_hotword

    found = []
    for number, line in enumerate(read_text(path, DataError).splitlines(), 1):
        if normalise_hotword(line, alphabet) is not None:
            found.append(line.strip())
        elif line.strip():
            log(
                f"warning: {path}:{number}: hotword {line.strip()!r} left out: the model emits only "
                f"{alphabet!r}; write it with these characters"
            )
    return found


def print_result(text: str) -> None:
    """Print a result to stdout and flush; errors as in `writing_stdout`."""
    with writing_stdout():
        print(text, flush=True)


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Exit with code 0 if the reader of stdout has closed the pipe.

    Raises:
        FileError: stdout cannot be written, such as a file on a full disk.
    """
    try:
        yield
    except OSError as error:
        silence_stdout()
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(0) from None
        raise FileError(f"stdout: cannot be written ({error.strerror}); free some space") from None


def silence_stdout() -> None:
    """Discard what stdout still holds: the interpreter flushes it at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def log(text: str) -> None:
    """Print a line to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_error(error: AudioseqError) -> None:
    """Print an error to stderr as one line."""
    log(f"error: {printable(str(error))}")
    if os.environ.get("AUDIOSEQ_DEBUG"):
        traceback.print_exception(error)


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
            self.report(error)

    def report(self, error: AudioseqError) -> None:
        """Print and count an error."""
        print_error(error)
        self.count += 1

    def exit_if_any(self) -> None:
        """Exit with code 1 if any error was counted."""
        if self.count:
            raise typer.Exit(1)
