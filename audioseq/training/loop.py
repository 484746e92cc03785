"""Training loop: gradient updates, validation, model files, and bit-for-bit resume."""

from __future__ import annotations

import copy
import json
import math
import time
import zlib
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.config import dump_toml
from audioseq.errors import ConfigError, DataError
from audioseq.training.batches import load_batches
from audioseq.training.config import TrainingConfig
from audioseq.training.distributed import Group, join_group
from audioseq.training.optim import make_optimizer
from audioseq.training.report import Report
from audioseq.training.run import RunDirectory, TrainingProgress, warm_start
from audioseq.training.task import CarriesState, GivesAdvice, HasConfig, Task
from audioseq.training.update import Update, Updater


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training run.

    Args:
        best: file of the model with the lowest metric, which may be the averaged model.
        last: file of the model after the last update.
        metrics: validation metrics of the best model.
        skipped: number of batches skipped because their loss or gradient was not finite.
    """

    best: Path
    last: Path
    metrics: dict[str, float]
    skipped: int


def fit(
    task: Task,
    config: TrainingConfig,
    run_dir: str | Path,
    *,
    resume: bool = False,
    start_from: Path | None = None,
    card: dict[str, Any] | None = None,
    device: str = "auto",
) -> TrainingResult:
    """Train a task's model.

    The run directory contains `config.toml`, `metrics.jsonl`, `last.safetensors`, `best.safetensors`,
    `averaged.safetensors` if `config.average` is above 1, and the training state `state.pt`. A run that was
    stopped or killed at any moment can be resumed from it; on a CPU the result equals that of an
    uninterrupted run bit for bit.

    Args:
        task: model, batches, loss and validation.
        config: options of the run.
        run_dir: run directory; created if it is missing.
        resume: resume the run in the directory; `config.epochs` may have changed.
        start_from: model file whose fitting weights initialise the model; ignored if a run is resumed.
        card: entries of the model card in addition to those of the loop.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
    Raises:
        ConfigError: the directory contains another run or another process trains in it, or a change is
            incompatible with resuming.
        CheckpointError: a model file or the training state cannot be read.
        FileError: a file cannot be written.
        DataError: the task has no batches.
    """
    group = join_group(device)
    with closing(RunDirectory(Path(run_dir))) as run:
        state = group.on_first_rank(lambda: run.open(resume))
        model = task.model.to(group.device)
        optimizer = make_optimizer(model, config)
        tokenizer = json.dumps(task.header({}).tokenizer)
        progress = run.restore(state, model, optimizer, tokenizer) if state else TrainingProgress()
        with Report(run.path, progress, config, silent=group.rank > 0) as report:
            if state:
                report.log(f"resuming after update {progress.update}, epoch {progress.position:.2f}")
                if isinstance(task, CarriesState):
                    rows = state.get("carry", ())
                    task.carry = tuple(whole[group.rank :: group.size].to(group.device) for whole in rows)
            elif start_from:
                report.log(group.on_first_rank(lambda: warm_start(start_from, task.name, model)))
            group.broadcast(list(model.state_dict().values()))
            recipe = task.config if isinstance(task, HasConfig) else config
            group.on_first_rank(lambda: run.write_config(dump_toml(recipe)))
            trainer = _Trainer(task, config, run, card or {}, group, optimizer, progress, report, tokenizer)
            if start_from and not state:
                trainer.validate_initial()
            return trainer.train()


@dataclass
class _Trainer:
    """State of a run and the steps of the loop."""

    task: Task
    config: TrainingConfig
    run: RunDirectory
    card: dict[str, Any]
    group: Group
    optimizer: torch.optim.Optimizer
    progress: TrainingProgress
    report: Report
    tokenizer: str

    def __post_init__(self) -> None:
        self.model = self.task.model
        self.updater = Updater(self.task, self.config, self.group, self.optimizer, self.report.log)
        self.clock = self.saved = time.monotonic()

    def validate_initial(self) -> None:
        """Compute the metrics of the model that the run starts from."""
        self._plan()  # a task may take the feature statistics of that model here
        metrics = self.group.on_first_rank(lambda: self._compute_metrics(self.model))
        metric, self.progress.initial = self.task.metric, metrics
        self.report.log(f"before training: {metric} {metrics[metric]:.4g} on the validation set")

    def train(self) -> TrainingResult:
        """Train until the end of the run."""
        progress = self.progress
        while not self._ended():
            updates = self._plan()
            remaining = updates[progress.update_in_epoch :]
            local = [self.group.local_part(batch) for update in remaining for batch in update]
            batches = load_batches(self.task, progress.epoch, local, self.config.workers)
            for size in map(len, remaining):
                before = progress.position
                update = self.updater.update(islice(batches, size), progress, save_due=self._save_due())
                progress.advance(len(updates))
                self._report_update(update)
                every = self.config.validate_every
                if math.floor(progress.position / every) > math.floor(before / every):
                    self._validate()
                elif update.save_due or progress.update % self.config.save_every == 0:
                    self._save()
                if self._ended():
                    break
        if progress.validated != progress.update:
            self._validate()
        return self.group.on_first_rank(self._finish)

    def _report_update(self, update: Update) -> None:
        """Report an update, and log the number of skipped batches when it reaches 1, 2, 4, 8 ..."""
        progress = self.progress
        speed = update.seconds / self._lap()
        line = {"step": progress.update, "epoch": progress.position, **asdict(update), "speed": speed}
        del line["save_due"]
        self.report.log_update(line)
        progress.skipped += update.skipped
        if progress.skipped.bit_length() > (progress.skipped - update.skipped).bit_length():
            self.report.log(
                f"update {progress.update}: loss or gradient is not finite; "
                f"batches skipped: {progress.skipped}"
            )

    def _validate(self) -> None:
        """Validate, and save the model as last, as best if it is, and as snapshot if models are averaged."""
        progress, config, task = self.progress, self.config, self.task
        metrics = self.group.on_first_rank(lambda: self._compute_metrics(self.model))
        best = progress.record_validation(metrics, task.metric)
        self._lap()
        line = {"step": progress.update, "epoch": progress.position, "valid": metrics}
        self.report.log_validation(line, task.metric)
        if not progress.advised and progress.position >= 1:
            progress.advised = True
            if isinstance(task, GivesAdvice) and (advice := task.advice(metrics)):
                self.report.log(advice)
        snapshots = [*progress.snapshots, progress.update][-config.average :]
        progress.snapshots = snapshots if config.average > 1 else []

        def save_models() -> None:
            header = self._header(metrics)
            paths = [self.run.last] + [self.run.best] * best
            if progress.snapshots:
                paths.append(self.run.snapshot(progress.update))
            for path in paths:
                checkpoint.save(path, self.model.state_dict(), header)

        self.group.on_first_rank(save_models)
        self._save()

    def _save(self) -> None:
        """Save the training state, from which the run can be resumed."""
        state: dict[str, Any] = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state["tokens"] = self.tokenizer
        if carry := self.group.gather_rows(self.task.carry if isinstance(self.task, CarriesState) else ()):
            state["carry"] = carry

        def save_state() -> None:
            self.progress.metrics_bytes = self.report.sync()
            self.run.save_state(self.progress, state)

        self._lap()
        self.group.on_first_rank(save_state)
        self.saved = time.monotonic()

    def _finish(self) -> TrainingResult:
        """Average the last snapshots, and return the best model."""
        progress, metric = self.progress, self.task.metric
        best, metrics = self.run.best, progress.best
        if progress.snapshots:
            averaged = copy.deepcopy(self.model)
            averaged.load_state_dict(self.run.average(progress.snapshots))
            figures = self._compute_metrics(averaged)
            position = {"step": progress.update, "epoch": progress.position}
            line = {**position, "average": len(progress.snapshots), "valid": figures}
            self.report.log_validation(line, metric)
            checkpoint.save(self.run.averaged, averaged.state_dict(), self._header(figures))
            if figures[metric] < metrics[metric]:
                best, metrics = self.run.averaged, figures
        if progress.skipped:
            self.report.log(f"batches skipped because loss or gradient was not finite: {progress.skipped}")
        if progress.initial:
            self.report.log(
                f"{metric} on the validation set: {progress.initial[metric]:.4g} before training, "
                f"{metrics[metric]:.4g} after"
            )
        return TrainingResult(best, self.run.last, metrics, progress.skipped)

    def _compute_metrics(self, model: nn.Module) -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            return self.task.validate(model)

    def _plan(self) -> list[list[list[int]]]:
        """Return the updates of the current epoch, each a list of batches.

        Raises:
            DataError: the epoch has no batches.
            ConfigError: the run stopped within this epoch, and its batches have changed.
        """
        progress, size = self.progress, self.config.accumulate
        plan = self.task.plan(progress.epoch)
        if not plan:
            raise DataError(f"epoch {progress.epoch} has no batches; check the training data")
        updates = [plan[start : start + size] for start in range(0, len(plan), size)]
        checksum = zlib.crc32(repr(updates).encode())
        if progress.update_in_epoch and checksum != progress.plan:
            raise ConfigError(
                f"{self.run.path}: stopped within an epoch, and its batches have changed; "
                "resume with the same data, seed and batch size, or start a new run with --from"
            )
        progress.plan = checksum
        return updates

    def _ended(self) -> bool:
        progress, config = self.progress, self.config
        return progress.position >= config.epochs or 0 < config.patience <= progress.stale

    def _save_due(self) -> bool:
        """Whether it is time to save; the first process decides for all of them."""
        minutes = (time.monotonic() - self.saved) / 60
        return self.group.rank == 0 and 0 < self.config.save_minutes <= minutes

    def _header(self, metrics: dict[str, float]) -> Header:
        progress = self.progress
        facts = {
            "seed": self.config.seed, "updates": progress.update, "epochs": progress.position,
            "validation": metrics, "hours": round(progress.seconds / 3600, 3),
        }  # fmt: skip
        return self.task.header({**self.card, **facts})

    def _lap(self) -> float:
        """Return the seconds since the last call, and add them to the training time."""
        now = time.monotonic()
        elapsed, self.clock = now - self.clock, now
        self.progress.seconds += elapsed
        return max(elapsed, 1e-9)
