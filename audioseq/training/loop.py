"""The training loop: batches to gradients to weights; validated, saved, and resumed to the bit."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.config import Config, dump_toml
from audioseq.errors import ConfigError, DataError
from audioseq.training.batches import load, move
from audioseq.training.config import TrainingConfig
from audioseq.training.distributed import Group, join
from audioseq.training.optim import Gradients, learning_rate, make_optimizer
from audioseq.training.precision import autocast, choose_precision
from audioseq.training.report import Report
from audioseq.training.run import RunDirectory, RunProgress, warm_start
from audioseq.training.task import Task


@dataclass(frozen=True)
class TrainingResult:
    """What a training run leaves.

    Args:
        best: the model with the lowest metric, the averaged one among them.
        last: the model after the last update.
        metrics: figures of the best model.
        skipped: batches left out because their loss or gradient was not finite.
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

    The run directory holds `config.toml`, `metrics.jsonl`, `last.safetensors`, `best.safetensors`, with
    `config.average` also `averaged.safetensors`, and `state.pt`. From that, a run that was stopped, or killed
    at any moment, goes on as if nothing had happened: on a CPU it ends with the same bits.

    Args:
        task: the model, its batches, its loss and its validation.
        config: how to train.
        run_dir: directory of the run; made where it is missing.
        resume: go on with the run in the directory; `config.epochs` may have changed.
        start_from: model file whose weights are taken where they fit; a resumed run has its own already.
        card: what the model files say about the model beside what the loop knows.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
    Raises:
        ConfigError: the directory holds another run, or what was changed cannot change on resuming.
        CheckpointError: a file cannot be read or written.
        DataError: the task has no batches.
    """
    group = join(device)
    run = RunDirectory(Path(run_dir))
    state = group.first(lambda: run.open(resume))
    model = task.model.to(group.device)
    optimizer = make_optimizer(model, config)
    tokens = json.dumps(task.header({}).tokenizer)
    at = run.restore(state, model, optimizer, tokens) if state else RunProgress()
    with Report(
        run.path, kept=at.metrics_bytes, update=at.update, done=at.position / config.epochs,
        silent=group.rank > 0, tensorboard=config.tensorboard,
    ) as report:  # fmt: skip
        if state:
            report.log(f"going on after update {at.update}, epoch {at.position:.2f}")
            rows = state.get("carry", ())
            _set_carry(task, tuple(whole[group.rank :: group.size].to(group.device) for whole in rows))
        elif start_from:
            report.log(group.first(lambda: warm_start(start_from, task.name, model)))
        group.copy_from_first(list(model.state_dict().values()))
        recipe: Config = getattr(task, "config", config)
        group.first(lambda: run.write_config(dump_toml(recipe)))
        precision = choose_precision(config.precision, group.device, report.log)
        trainer = _Trainer(task, config, run, card or {}, group, optimizer, at, report, precision, tokens)
        return trainer.train()


class _Trainer:
    """The parts of a run that its steps share."""

    def __init__(
        self,
        task: Task,
        config: TrainingConfig,
        run: RunDirectory,
        card: dict[str, Any],
        group: Group,
        optimizer: torch.optim.Optimizer,
        at: RunProgress,
        report: Report,
        precision: torch.dtype,
        tokens: str,
    ) -> None:
        self.tokens = tokens
        self.task, self.config, self.run, self.card = task, config, run, card
        self.group, self.optimizer, self.precision = group, optimizer, precision
        self.at, self.report = at, report
        self.model = task.model
        self.gradients = Gradients(self.model, counts=4)
        self.clock = time.monotonic()

    def train(self) -> TrainingResult:
        """Train from where the run is to its end."""
        at = self.at
        while not self._ended():
            updates = self._plan()
            rest = updates[at.update_in_epoch :]
            shares = [self.group.share(batch) for update in rest for batch in update]
            batches = load(self.task, at.epoch, shares, self.config.workers)
            for size in map(len, rest):
                before = at.position
                line = self._update(islice(batches, size))
                at.advance(len(updates))
                self._record(line)
                every = self.config.validate_every
                if math.floor(at.position / every) > math.floor(before / every):
                    self._validate()
                elif at.update % self.config.save_every == 0:
                    self._save()
                if self._ended():
                    break
        if at.validated != at.update:
            self._validate()
        return self.group.first(self._finish)

    def _update(self, batches: Iterator[Any]) -> dict[str, Any]:
        """Do one update, and return its line of metrics.

        The gradient is that of the mean loss over all batches and processes: sums are added up first, then
        divided by the sum of their weights, so how an update is cut into batches and shares does not matter.
        """
        at, config = self.at, self.config
        torch.manual_seed(_seed(config.seed, at.update, self.group.rank))
        self.model.train()
        self.gradients.vector.zero_()
        total = weight = seconds = skipped = 0.0
        for batch in batches:
            if batch is None:  # fewer examples than processes
                continue
            with autocast(self.group.device, self.precision):
                loss = self.task.loss(move(batch, self.group.device), self.model)
            value = loss.total.item()
            if not math.isfinite(value):
                skipped += 1
                _set_carry(self.task, tuple(map(torch.zeros_like, _carry(self.task))))
                continue
            loss.total.backward()
            total, weight, seconds = total + value, weight + loss.weight, seconds + loss.seconds
        self.gradients.counts.copy_(torch.tensor([total, weight, seconds, skipped]))

        self.group.sum(self.gradients.vector)
        total, weight, seconds, skipped = self.gradients.counts.tolist()
        self.gradients.gradient.div_(max(weight, 1.0))
        norm = self.gradients.clip(config.clip)
        rate = learning_rate(config, at.update, at.position / config.epochs)
        if weight and math.isfinite(norm):
            for parameters in self.optimizer.param_groups:
                parameters["lr"] = rate
            self.optimizer.step()
        elif weight:  # the losses were finite, their gradient is not
            skipped += 1
        return {
            "loss": total / weight if weight else math.nan,
            "learning_rate": rate,
            "gradient_norm": norm,
            "seconds": seconds,
            "skipped": int(skipped),
        }

    def _record(self, line: dict[str, Any]) -> None:
        """Record an update, and say so when batches had to be skipped."""
        at, skipped = self.at, line["skipped"]
        speed = line["seconds"] / self._lap()
        line = {"step": at.update, "epoch": at.position, **line, "speed": speed}
        self.report.update(line, at.position / self.config.epochs)
        at.skipped += skipped
        if at.skipped.bit_length() > (at.skipped - skipped).bit_length():  # the 1st, 2nd, 4th, 8th ...
            self.report.log(f"update {at.update}: loss or gradient not finite; batches skipped: {at.skipped}")

    def _validate(self) -> None:
        """Let the first process validate; keep the model as last, perhaps as best, and for the average."""
        at, config, task = self.at, self.config, self.task
        figures = self.group.first(lambda: self._figures(self.model))
        best = at.record_validation(figures, task.metric)
        self._lap()
        self.report.validation({"step": at.update, "epoch": at.position, "valid": figures}, task.metric)
        if not at.advised and at.position >= 1:
            at.advised = True
            notice = getattr(task, "notice", lambda _: None)(figures)
            if notice:
                self.report.log(notice)
        at.snapshots = [*at.snapshots, at.update][-config.average :] if config.average > 1 else []

        def keep() -> None:
            header = self._header(figures)
            paths = [self.run.last] + [self.run.best] * best
            if at.snapshots:
                paths.append(self.run.snapshot(at.update))
            for path in paths:
                checkpoint.save(path, self.model.state_dict(), header)

        self.group.first(keep)
        self._save()

    def _save(self) -> None:
        """Save the training state: from here the run can go on."""

        carry = self.group.gather(_carry(self.task))

        def save() -> None:
            self.at.metrics_bytes = self.report.position()
            self.run.save_state(self.model, self.optimizer, self.at, carry, self.tokens)

        self._lap()
        self.group.first(save)

    def _finish(self) -> TrainingResult:
        """Average the last snapshots, and say which model is best."""
        at, metric = self.at, self.task.metric
        best, metrics = self.run.best, at.best
        if at.snapshots:
            averaged = copy.deepcopy(self.model)
            averaged.load_state_dict(self.run.average(at.snapshots))
            figures = self._figures(averaged)
            line = {"step": at.update, "epoch": at.position, "average": len(at.snapshots), "valid": figures}
            self.report.validation(line, metric)
            checkpoint.save(self.run.averaged, averaged.state_dict(), self._header(figures))
            if figures[metric] < metrics[metric]:
                best, metrics = self.run.averaged, figures
        if at.skipped:
            self.report.log(f"batches skipped because loss or gradient was not finite: {at.skipped}")
        return TrainingResult(best, self.run.last, metrics, at.skipped)

    def _figures(self, model: nn.Module) -> dict[str, float]:
        model.eval()
        with torch.no_grad():
            return self.task.validate(model)

    def _plan(self) -> list[list[list[int]]]:
        """Return the updates of the epoch, each a list of batches.

        Raises:
            DataError: there are no batches.
            ConfigError: the run stopped within this epoch, and its batches are not what they were.
        """
        plan, at, size = self.task.plan(self.at.epoch), self.at, self.config.accumulate
        if not plan:
            raise DataError(f"epoch {at.epoch} has no batches; is there training data?")
        updates = [plan[start : start + size] for start in range(0, len(plan), size)]
        checksum = zlib.crc32(repr(updates).encode())
        if at.update_in_epoch and checksum != at.plan:
            raise ConfigError(
                f"{self.run.path}: stopped within an epoch, and its batches have changed; "
                "resume with the same data, seed and batch size, or start a new run with --from"
            )
        at.plan = checksum
        return updates

    def _ended(self) -> bool:
        at, config = self.at, self.config
        return at.position >= config.epochs or 0 < config.patience <= at.stale

    def _header(self, figures: dict[str, float]) -> Header:
        at = self.at
        facts = {"seed": self.config.seed, "updates": at.update, "epochs": at.position, "validation": figures}
        return self.task.header({**self.card, **facts, "hours": round(at.seconds / 3600, 3)})

    def _lap(self) -> float:
        """Return the seconds since the last call, and add them to the time of the run."""
        now = time.monotonic()
        passed, self.clock = now - self.clock, now
        self.at.seconds += passed
        return max(passed, 1e-9)


def _carry(task: Task) -> tuple[Tensor, ...]:
    carry: tuple[Tensor, ...] = getattr(task, "carry", ())
    return carry


def _set_carry(task: Task, carry: tuple[Tensor, ...]) -> None:
    if hasattr(task, "carry"):
        task.carry = carry


def _seed(*numbers: int) -> int:
    """Return a seed for the random generator (dropout), other for other numbers."""
    return int.from_bytes(hashlib.sha256(repr(numbers).encode()).digest()[:4])
