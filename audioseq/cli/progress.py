"""Progress on stderr: bars on a terminal, else a line per minute."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

    from audioseq.speech.batch.inputs import Recording
    from audioseq.speech.batch.transcribe import ProgressCallback

T = TypeVar("T")

LINE_INTERVAL_SECONDS = 60.0
"""Seconds between progress lines if stderr is not a terminal."""
WAV_BYTES_PER_SECOND = 32_000
"""Of 16-bit mono audio at 16 kHz."""


def track_progress(items: Sequence[T], description: str) -> Iterator[T]:
    """Yield the items, and show the progress if there are several."""
    if len(items) < 2:
        yield from items
        return
    if not sys.stderr.isatty():
        print_line = _line_printer()
        for number, item in enumerate(items):
            yield item
            print_line(f"{description} {number + 1}/{len(items)}", (number + 1) / len(items))
        return
    with _progress_bar() as bar:
        yield from bar.track(items, description=description)


@contextmanager
def transcription_progress(
    recordings: Sequence[Recording], *, hidden: bool = False
) -> Iterator[ProgressCallback | None]:
    """Show the progress of a transcription with its remaining time.

    Yields:
        the callback that updates it, or None where it is hidden. It takes a recording and the share of it
        that is done; recordings must come in order.
    """
    if hidden:
        yield None
        return
    total = sum(map(_estimate_bytes, recordings))
    number, before = 0, 0.0
    current: Recording | None = None

    def advance(recording: Recording, share: float) -> tuple[float, str]:
        """Return the bytes that are done, and a description."""
        nonlocal number, before, current
        if recording is not current:
            number += 1
            before += 0.0 if current is None else _estimate_bytes(current)
            current = recording
        done = before + share * _estimate_bytes(recording)
        return done, f"transcribing {number}/{len(recordings)}"

    if not sys.stderr.isatty():
        print_line = _line_printer()

        def print_share(recording: Recording, share: float) -> None:
            done, description = advance(recording, share)
            print_line(description, done / max(total, 1.0))  # empty files have no bytes

        yield print_share
        return
    with _progress_bar() as bar:
        task = bar.add_task("transcribing", total=total)

        def update(recording: Recording, share: float) -> None:
            done, description = advance(recording, share)
            bar.update(task, completed=done, description=description)

        yield update


def _line_printer() -> Callable[[str, float], None]:
    """Return a function that prints a description and the share that is done, at most once per minute."""
    began = printed = time.monotonic()

    def print_line(description: str, share: float) -> None:
        nonlocal printed
        now = time.monotonic()
        if now - printed >= LINE_INTERVAL_SECONDS:
            printed = now
            left = timedelta(seconds=round((now - began) * (1 - share) / max(share, 1e-9)))
            print(f"{description}, {share:.0%}, {left} left", file=sys.stderr, flush=True)

    return print_line


def _progress_bar() -> Progress:
    """Return a transient progress bar on stderr with the remaining time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    # Without redirect_stdout=False, rich would send printed results to its own console, which is stderr.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def _estimate_bytes(recording: Recording) -> float:
    """Estimate the size of a recording without opening it: the bytes of its file, or of its duration."""
    if recording.duration is not None:
        return WAV_BYTES_PER_SECOND * recording.duration
    try:
        return float(os.stat(recording.path).st_size)
    except OSError:  # a missing file takes no time; the size of stdin is unknown
        return 1.0
