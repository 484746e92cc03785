"""Run directory: its files, the order in which they are written, and how a run is restored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.errors import CheckpointError, ConfigError
from audioseq.files import locked, write_bytes, writing


@dataclass
class TrainingProgress:
    """Progress of a run: all training state except weights and optimiser.

    It needs no state of random generators, because each update seeds them with its own number.
    """

    epoch: int = 0
    """Current epoch, from 0."""
    update_in_epoch: int = 0
    """Completed updates of the current epoch."""
    update: int = 0
    """Completed updates of the run."""
    position: float = 0.0
    """Completed epochs, with fraction."""
    plan: int = 0
    """Checksum of the batches of the current epoch."""
    skipped: int = 0
    """Number of batches whose loss or gradient was not finite."""
    validated: int = -1
    """Update after which the model was last validated."""
    advised: bool = False
    """Whether the task has given its advice after the first epoch."""
    stale: int = 0
    """Validations since the best one."""
    initial: dict[str, float] = field(default_factory=dict)
    """Metrics of the model that the run started from."""
    best: dict[str, float] = field(default_factory=dict)
    """Metrics of the best validation."""
    snapshots: list[int] = field(default_factory=list)
    """Updates whose models are kept for averaging."""
    seconds: float = 0.0
    """Training time, seconds."""
    metrics_bytes: int = 0
    """Size of metrics.jsonl, bytes."""

    def advance(self, updates: int) -> None:
        """Count one update of an epoch that has `updates` updates."""
        self.update += 1
        self.update_in_epoch += 1
        self.position = self.epoch + self.update_in_epoch / updates
        if self.update_in_epoch == updates:
            self.epoch, self.update_in_epoch = self.epoch + 1, 0

    def record_validation(self, metrics: dict[str, float], metric: str) -> bool:
        """Record a validation, and return whether it is the best so far."""
        self.validated = self.update
        better = not self.best or _nan_to_inf(metrics[metric]) < _nan_to_inf(self.best[metric])
        self.stale = 0 if better else self.stale + 1
        self.best = metrics if better else self.best
        return better


class RunDirectory:
    """Files of a run.

    Models that the training state refers to are written before the state and deleted after the next one is
    written. So `state.pt` and its models are complete and consistent whenever the process is killed. A lock
    keeps other processes away from `open` to `close`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.metrics = path / "metrics.jsonl"
        self.state = path / "state.pt"
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.averaged = path / "averaged.safetensors"
        self._lock = ExitStack()

    def open(self, resume: bool) -> dict[str, Any] | None:
        """Create the directory, and return the training state of the run to resume, if it has one.

        Args:
            resume: whether to resume a run in the directory.
        Raises:
            ConfigError: the directory contains a run and `resume` is false, or another process trains in it.
            FileError: the directory cannot be created.
            CheckpointError: the training state cannot be read.
        """
        with writing(self.path, "choose another run directory with --run-dir"):
            self.snapshot(0).parent.mkdir(parents=True, exist_ok=True)
            busy = f"{self.path}: another process trains in this directory; choose another one with --run-dir"
            self._lock.enter_context(locked(self.path / ".lock", ConfigError(busy)))
            for folder in (self.path, self.snapshot(0).parent):
                for unfinished in folder.glob(".*.tmp"):  # of a process that was killed
                    unfinished.unlink()
            used = any(path.exists() for path in (self.metrics, self.state, self.last, self.best))
        if used and not resume:
            raise ConfigError(
                f"{self.path}: already contains a run; continue it with --resume, or choose another "
                "directory with --run-dir"
            )
        return checkpoint.load_state(self.state) if self.state.exists() else None

    def close(self) -> None:
        """Release the lock."""
        self._lock.close()

    def write_config(self, text: str) -> None:
        """Write the resolved recipe."""
        write_bytes(self.config, text.encode())

    def snapshot(self, update: int) -> Path:
        """Return the path of the model snapshot after an update."""
        return self.path / "snapshots" / f"{update:08d}.safetensors"

    def save_state(self, progress: TrainingProgress, state: Mapping[str, Any]) -> None:
        """Write the training state, and delete the snapshots that it no longer refers to.

        Args:
            progress: of the run.
            state: the rest: `model`, `optimizer`, `tokens`, and `carry` of a task that carries state.
        """
        checkpoint.save_state(self.state, {"progress": asdict(progress), **state})
        kept = {self.snapshot(update) for update in progress.snapshots}
        for path in set(self.snapshot(0).parent.glob("*.safetensors")) - kept:
            path.unlink()

    def restore(
        self, state: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, tokenizer: str
    ) -> TrainingProgress:
        """Load a training state into a model and its optimiser, and return the progress of the run.

        Raises:
            CheckpointError: the state belongs to another model, or to another version of this package.
            ConfigError: the tokenizer has changed.
        """
        if state.get("tokens", tokenizer) != tokenizer:
            raise ConfigError(
                f"{self.path}: the tokenizer differs from that of the run; resume it with the same command "
                "and data, including --from"
            )
        try:
            mismatches = find_mismatches(model, state["model"])
            if mismatches:
                raise CheckpointError(
                    f"{self.state}: belongs to another model ({mismatches[0]}); resume with the same config"
                )
            progress = dict(state["progress"])
            if "noticed" in progress:  # name of the field in older training states
                progress["advised"] = progress.pop("noticed")
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return TrainingProgress(**progress)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{self.state}: is not a training state of this version of audioseq ({error!r}); "
                "start a new run with --from"
            ) from None

    def average(self, updates: list[int]) -> dict[str, Tensor]:
        """Return the mean weights of the snapshots; integer tensors are those of the last snapshot."""
        return checkpoint.mean(checkpoint.load(self.snapshot(update)).weights for update in updates)


def _nan_to_inf(value: float) -> float:
    return math.inf if math.isnan(value) else value


def find_mismatches(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Return a phrase for each tensor that differs between a model and weights in name or shape."""
    own = model.state_dict()
    mismatches = []
    for name in [*own, *(name for name in weights if name not in own)]:
        if name not in weights:
            mismatches.append(f"{name} is new")
        elif name not in own:
            mismatches.append(f"{name} is not in the model")
        elif own[name].shape != weights[name].shape:
            mismatches.append(f"{name} is {list(own[name].shape)}, was {list(weights[name].shape)}")
    return mismatches


def warm_start(path: Path, task: str, model: nn.Module) -> str:
    """Copy the weights of a model file that fit a model, and return a message about what was copied.

    Raises:
        CheckpointError: the file belongs to another task, or none of its weights fit.
    """
    weights = checkpoint.load(path, task=task).weights
    own = model.state_dict()
    fitting = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
    if not fitting:
        raise CheckpointError(f"{path}: none of its weights fit this model; compare the configs")
    model.load_state_dict(fitting, strict=False)
    mismatches = find_mismatches(model, weights)
    rest = f"; not copied: {', '.join(mismatches)}" if mismatches else ""
    return f"started from {path}: {len(fitting)} of {len(own)} tensors copied{rest}"
