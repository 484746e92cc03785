"""Output of live transcription: text on a terminal or a pipe, JSON lines, and growing subtitles."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from audioseq.cli.common import print_result

if TYPE_CHECKING:
    from audioseq.speech.streaming.session import Session

METER_DB = (-60.0, -10.0)
"""Levels at the two ends of the level meter, dB of full scale."""
METER = " ▁▂▃▄▅▆▇█"


class Printer(Protocol):
    """Prints what is new in a session, after each block."""

    def __enter__(self) -> Self:
        """Start the output."""

    def __exit__(self, *_: object) -> None:
        """End the output."""

    def show(self, session: Session, block: bytes) -> None:
        """Print what is new; the block is the last one, of signed 16-bit samples."""


class _Lines:
    """Output of lines, which needs no end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class JsonPrinter(_Lines):
    """Prints a JSON object a line: the partial text whenever it changes, and each final text."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, session: Session, block: bytes) -> None:
        """Print what is new."""
        from audioseq.speech.transcript import rounded

        for final in session.finals():
            words = [rounded(word) for word in final.words]
            print_result(json.dumps({"type": "final", **rounded(final.segment), "words": words}))
            self._last = ""
        if session.partial != self._last:
            self._last = session.partial
            print_result(json.dumps({"type": "partial", "text": self._last}))


class SubtitlePrinter(_Lines):
    """Prints the subtitles of each final text."""

    def __init__(self, form: str) -> None:
        self._form, self._printed = form, 0

    def show(self, session: Session, block: bytes) -> None:
        """Print what is new."""
        from audioseq.speech import writers
        from audioseq.speech.transcript import Transcript

        for final in session.finals():
            segment = final.segment
            part = Transcript(None, segment.text, segment.end, (segment,), final.words)
            head, *cues = writers.write(part, self._form).strip().split("\n\n")
            cues = [head, *cues] if self._form == "srt" else cues
            if self._form == "vtt" and not self._printed:
                print_result(f"{head}\n")
            for cue in cues:
                self._printed += 1
                if self._form == "srt":
                    cue = f"{self._printed}\n{cue.partition(chr(10))[2]}"
                print_result(f"{cue}\n")


class TextPrinter:
    """Prints each final text as a line; on a terminal, also a level meter and the partial text, redrawn."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, session: Session, block: bytes) -> None:
        """Print what is new."""
        from rich.text import Text

        for final in session.finals():
            if self._console.is_terminal:
                self._console.print(Text(final.segment.text))
            else:
                print_result(final.segment.text)
        if self._console.is_terminal:
            self._live.update(Text(f"{_meter(block)} {session.partial}", style="dim"), refresh=True)


PRINTERS: dict[str, Callable[[], Printer]] = {
    "txt": TextPrinter,
    "json": JsonPrinter,
    "srt": lambda: SubtitlePrinter("srt"),
    "vtt": lambda: SubtitlePrinter("vtt"),
}
"""Output formats of live transcription."""


def _meter(block: bytes) -> str:
    """Return a bar whose height is the level of a block of samples."""
    samples = np.frombuffer(block[: len(block) // 2 * 2], "<i2").astype(np.float64) / 32768
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    low, high = METER_DB
    level = (10 * np.log10(max(power, 1e-12)) - low) / (high - low)
    return METER[round(float(np.clip(level, 0, 1)) * (len(METER) - 1))]
