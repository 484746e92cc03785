"""Progress report of a training run: a line on stderr, metrics.jsonl and TensorBoard."""

from __future__ import annotations

import errno
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from audioseq.errors import ConfigError
from audioseq.files import writing
from audioseq.training.config import TrainingConfig
from audioseq.training.run import TrainingProgress

LOG_INTERVAL_SECONDS = 30.0
"""Seconds between progress lines if stderr is not a terminal."""
SMOOTHING = 0.95
"""Exponential smoothing factor of the displayed loss and speed; metrics.jsonl has the raw values."""
ADVICE = "free some space, then continue with --resume"
"""Advice in the error message if metrics.jsonl cannot be written."""


class Report:
    """Log the progress of a training run; silent on all processes but the first.

    Args:
        path: run directory.
        progress: of the run; lines of metrics.jsonl after its `metrics_bytes` belong to updates that will be
            repeated, and are removed.
        config: options of the run.
        silent: write and print nothing.
    Raises:
        ConfigError: TensorBoard is requested but not installed.
        FileError: metrics.jsonl cannot be written.
    """

    def __init__(self, path: Path, progress: TrainingProgress, config: TrainingConfig, silent: bool) -> None:
        self.path = path / "metrics.jsonl"
        self.silent, self.epochs = silent, config.epochs
        self.bar: Progress | None = None
        board = config.tensorboard and not silent
        self.board = _open_tensorboard(path, progress.update) if board else None
        self.start, self.start_position, self.printed = time.monotonic(), progress.position, -math.inf
        self.loss = self.speed = math.nan
        self.metric = ""
        if silent:
            return
        with writing(self.path, ADVICE):
            # Open for the whole run, and unbuffered: a line is in the file as soon as it is written.
            self.file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            if self.file.tell() > progress.metrics_bytes:
                self.file.truncate(progress.metrics_bytes)
        console = Console(stderr=True)
        if console.is_terminal:
            columns = TextColumn("{task.description}"), BarColumn(bar_width=None)
            self.bar = Progress(*columns, console=console, transient=True)
            self.row = self.bar.add_task("", total=1.0)

    def __enter__(self) -> Report:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.bar:
            self.bar.stop()
        if self.board:
            self.board.close()
        if not self.silent:
            self.file.close()

    def log(self, text: str) -> None:
        """Print a line of text."""
        if self.bar:
            self.bar.console.print(text, markup=False, highlight=False)
        elif not self.silent:
            print(text, file=sys.stderr, flush=True)

    def log_update(self, line: Mapping[str, Any]) -> None:
        """Write the metrics of an update, with `step`, `epoch`, `loss` and `speed`, and show the progress."""
        if self.silent:
            return
        self._write(line)
        self.loss, self.speed = _smooth(self.loss, line["loss"]), _smooth(self.speed, line["speed"])
        speed = f"{self.speed:.0f} s of audio/s  " if self.speed else ""  # 0 for tasks without audio
        remaining = self._remaining_time(line["epoch"])
        text = f"epoch {line['epoch']:.2f}  loss {self.loss:.3f}{self.metric}  {speed}{remaining} left"
        if self.bar:
            self.bar.update(self.row, description=text, completed=line["epoch"] / self.epochs)
        elif time.monotonic() - self.printed > LOG_INTERVAL_SECONDS:
            self.printed = time.monotonic()
            self.log(text)

    def log_validation(self, line: Mapping[str, Any], metric: str) -> None:
        """Write and print a validation: a line with `step`, `epoch` and the metrics under `valid`."""
        if self.silent:
            return
        self._write(line)
        self.metric = f"  {metric} {line['valid'][metric]:.4g}"
        metrics = "  ".join(f"{name} {value:.4g}" for name, value in line["valid"].items())
        average = "  (averaged model)" if line.get("average") else ""
        self.log(f"epoch {line['epoch']:.2f}  validation: {metrics}{average}")

    def sync(self) -> int:
        """Flush metrics.jsonl to disk, and return its size in bytes."""
        if self.silent:
            return 0
        with writing(self.path, ADVICE):
            os.fsync(self.file.fileno())
        return self.file.tell()

    def _write(self, line: Mapping[str, Any]) -> None:
        with writing(self.path, ADVICE):
            text = json.dumps(_to_json(line)).encode() + b"\n"
            if self.file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.board:
            for name, value in {**line, **line.get("valid", {})}.items():
                if isinstance(value, (int, float)):
                    self.board.add_scalar(name, value, line["step"])

    def _remaining_time(self, position: float) -> str:
        speed = (position - self.start_position) / max(time.monotonic() - self.start, 1e-9)
        minutes = round((self.epochs - position) / speed / 60) if speed > 0 else 0
        return f"{minutes // 60}:{minutes % 60:02d} h"


def _smooth(old: float, new: float | None) -> float:
    if new is None or not math.isfinite(new):
        return old
    return new if math.isnan(old) else SMOOTHING * old + (1 - SMOOTHING) * new


def _to_json(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by null, and round the other numbers to 8 digits."""
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.8g}") if math.isfinite(value) else None
    return value


def _open_tensorboard(directory: Path, update: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "training.tensorboard: TensorBoard is not installed; pip install 'audioseq[tensorboard]'"
        ) from None
    return SummaryWriter(directory / "tensorboard", purge_step=update + 1)
