"""What the commands share: where lines go, how inputs may fail, and options that several of them have."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from audioseq.errors import AudioseqError, DataError
from audioseq.models import default_for

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from audioseq.speech.batch.inputs import Recording
    from audioseq.speech.batch.transcribe import ProgressCallback
    from audioseq.speech.decoding.decoder import DecodingOptions

T = TypeVar("T")

DEFAULT_MODEL = default_for("speech")

Model = Annotated[str, typer.Option("-m", "--model", help="Name of a model, or path of a .safetensors file.")]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Name of a model, or path of a .safetensors file.")
]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]

Beam = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Search for the best text among N hypotheses at a time."),
]
Lm = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|none",
        help="Search with this n-gram model of words: a name or a file; unless given, as the model advises.",
    ),
]
Rescorer = Annotated[
    str | None,
    typer.Option(
        "--rescore",
        metavar="FILE",
        help="Order the best texts by a second language model: english-lstm, say.",
    ),
]
HotwordOption = Annotated[
    list[str] | None,
    typer.Option("--hotword", metavar="W", help="Expect a word or a phrase; may be given several times."),
]
HotwordFile = Annotated[
    Path | None, typer.Option("--hotwords", metavar="FILE", help="Expect these, one a line.")
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
    """Return the search that the options ask for; `--lm none` and nothing else is greedy.

    Args:
        recommended: whose language model is taken where `--lm` names none.
    Raises:
        DataError: the file of hotwords cannot be read.
    """
    from audioseq.speech.decoding.beam import BeamLimits
    from audioseq.speech.decoding.decoder import DecodingOptions

    expected = [*(hotwords or ()), *(_lines(hotword_file) if hotword_file else ())]
    named = recommended.lm if lm is None and recommended else lm
    if beam is None and named in (None, "none") and rescorer is None and not expected:
        return "greedy"
    return DecodingOptions(
        lm=None if named == "none" else named,
        hotwords=tuple(expected),
        limits=BeamLimits() if beam is None else BeamLimits(beam_size=beam),
        rescorer=rescorer,
    )


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return [line.strip() for line in lines if line.strip()]


def put(text: str) -> None:
    """Print a result to stdout at once; where the reader has closed the pipe, end without complaint."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when the interpreter closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def note(text: str) -> None:
    """Print a remark to stderr."""
    print(text, file=sys.stderr, flush=True)


def complain(error: AudioseqError) -> None:
    """Print an error to stderr as one line."""
    note(f"error: {error}")


class Failures:
    """Lets the rest of several inputs go on when one is bad: tells of each failure, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def tolerated(self) -> Iterator[None]:
        """Report and count an AudioseqError instead of passing it on."""
        try:
            yield
        except AudioseqError as error:
            complain(error)
            self.count += 1

    def exit(self) -> None:
        """End the command with exit code 1 if anything has failed."""
        if self.count:
            raise typer.Exit(1)


def watched(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items, with a progress bar on stderr when that is a terminal and there are several."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    with _bar() as bar:
        yield from bar.track(items, description=what)


@contextmanager
def metered(recordings: Sequence[Recording], *, hidden: bool = False) -> Iterator[ProgressCallback | None]:
    """Show how far the recordings are transcribed, and the time left, on stderr where that is a terminal.

    Yields:
        what is to be called with a recording and the share of it that is done; they come in order.
    """
    if hidden or not sys.stderr.isatty():
        yield None
        return
    with _bar() as bar:
        task = bar.add_task("transcribing", total=sum(map(_weight, recordings)))
        number, before = 0, 0.0
        current: Recording | None = None

        def progress(recording: Recording, share: float) -> None:
            nonlocal number, before, current
            if recording is not current:
                number += 1
                before += 0.0 if current is None else _weight(current)
                current = recording
            done = before + share * _weight(recording)
            bar.update(task, completed=done, description=f"transcribing {number}/{len(recordings)}")

        yield progress


def _bar() -> Bar:
    """Return a bar on stderr with the time left, which goes when it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    # stdout is left alone: rich would send what is printed there to its own console, which is stderr.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def _weight(recording: Recording) -> float:
    """Return about how much there is to do, which need not be opened for it: its bytes, or bytes of wav."""
    if recording.duration is not None:
        return 32_000 * recording.duration
    try:
        return float(os.stat(recording.path).st_size)
    except OSError:  # a missing file costs nothing; nor does stdin, whose length nobody knows
        return 1.0
