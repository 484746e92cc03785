"""What a run tells while it goes: a line of progress on stderr, metrics.jsonl, and TensorBoard."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from audioseq.errors import CheckpointError, ConfigError

PLAIN_SECONDS = 30.0
"""Where stderr is no terminal, a line of progress is printed this often."""
SMOOTHING = 0.95
"""Of the loss and the speed that are shown; metrics.jsonl has the plain values."""


class Report:
    """Tells how training goes; every process but the first stays silent.

    Args:
        directory: of the run.
        kept: bytes of metrics.jsonl to keep; what lies behind was written by updates that are done again.
        done: share of the run that is done already.
        silent: write and print nothing.
        tensorboard: write for TensorBoard too.
        update: number of updates done already.
    Raises:
        ConfigError: TensorBoard is wanted and not installed.
        CheckpointError: metrics.jsonl cannot be written.
    """

    def __init__(
        self, directory: Path, *, kept: int, done: float, silent: bool, tensorboard: bool, update: int
    ) -> None:
        self.path = directory / "metrics.jsonl"
        self.silent = silent
        self.bar: Progress | None = None
        self.board = _board(directory, update) if tensorboard and not silent else None
        self.start, self.start_done, self.printed = time.monotonic(), done, -math.inf
        self.loss = self.speed = math.nan
        self.metric = ""
        if silent:
            return
        try:
            # Open as long as the run, and unbuffered: a line is in the file once it is written.
            self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            if self.file.tell() > kept:
                self.file.truncate(kept)
        except OSError as error:
            raise self._unwritable(error) from None
        console = Console(stderr=True)
        if console.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(bar_width=None)
            self.bar = Progress(*columns, console=console, transient=True)
            self.row = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Report:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()
        if self.board:
            self.board.close()
        if not self.silent:
            self.file.close()

    def log(self, text: str) -> None:
        """Print a remark."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False)
        elif not self.silent:
            print(text, file=sys.stderr, flush=True)

    def update(self, line: Mapping[str, Any], done: float) -> None:
        """Record an update: a line with `step`, `epoch`, `loss`, `speed`; and the share of the run done."""
        if self.silent:
            return
        self._record(line)
        self.loss, self.speed = _smooth(self.loss, line["loss"]), _smooth(self.speed, line["speed"])
        speed = f"{self.speed:.0f} s of audio/s  " if self.speed else ""  # there need not be audio
        text = f"epoch {line['epoch']:.2f}  loss {self.loss:.3f}{self.metric}  {speed}{self._left(done)} left"
        if self.bar:
            self.bar.update(self.row, description=text, completed=done)
        elif time.monotonic() - self.printed > PLAIN_SECONDS:
            self.printed = time.monotonic()
            self.log(text)

    def validation(self, line: Mapping[str, Any], metric: str) -> None:
        """Record a validation: a line with `step`, `epoch` and the figures under `valid`."""
        if self.silent:
            return
        self._record(line)
        self.metric = f"  {metric} {line['valid'][metric]:.4g}"
        figures = "  ".join(f"{name} {value:.4g}" for name, value in line["valid"].items())
        average = "  (average)" if line.get("average") else ""
        self.log(f"epoch {line['epoch']:.2f}  validation: {figures}{average}")

    def position(self) -> int:
        """Return how many bytes of metrics.jsonl are safely on disk."""
        if self.silent:
            return 0
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            raise self._unwritable(error) from None
        return self.file.tell()

    def _record(self, line: Mapping[str, Any]) -> None:
        try:
            text = json.dumps(_plain(line)).encode() + b"\n"
            if self.file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._unwritable(error) from None
        if self.board:
            for name, value in {**line, **line.get("valid", {})}.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(name, value, line["step"])

    def _left(self, done: float) -> str:
        speed = (done - self.start_done) / max(time.monotonic() - self.start, 1e-9)
        minutes = round((1 - done) / speed / 60) if speed > 0 else 0
        return f"{minutes // 60}:{minutes % 60:02d} h"

    def _unwritable(self, error: OSError) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: cannot be written ({error.strerror}); make room, then go on with --resume"
        )


def _smooth(old: float, new: float | None) -> float:
    if new is None or not math.isfinite(new):
        return old
    return new if math.isnan(old) else SMOOTHING * old + (1 - SMOOTHING) * new


def _plain(value: Any) -> Any:
    """Replace numbers that JSON does not know by null, and shorten the others."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    return value


def _board(directory: Path, update: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "training.tensorboard: TensorBoard is not installed; pip install 'audioseq[tensorboard]'"
        ) from None
    return SummaryWriter(directory / "tensorboard", purge_step=update + 1)
