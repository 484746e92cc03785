"""The directory of a run: what is in it, in which order it is written, and how it is read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.errors import CheckpointError, ConfigError
from audioseq.files import write_atomically


@dataclass
class RunProgress:
    """Where a run is: everything that changes from update to update, beside weights and optimiser.

    There is no state of random generators: each update seeds them by its own number.
    """

    epoch: int = 0
    update_in_epoch: int = 0
    """Updates of this epoch that are done."""
    update: int = 0
    """Updates of the run that are done."""
    position: float = 0.0
    """Epochs that are done."""
    plan: int = 0
    """Checksum of the batches of this epoch."""
    skipped: int = 0
    """Batches whose loss or gradient was not finite."""
    validated: int = -1
    """The update after which the model was last validated."""
    advised: bool = False
    """Whether the task was asked, after the first epoch, for something to say."""
    stale: int = 0
    """Validations since the best."""
    best: dict[str, float] = field(default_factory=dict)
    """Figures of the best validation."""
    snapshots: list[int] = field(default_factory=list)
    """Updates whose models are kept for the average."""
    seconds: float = 0.0
    """Time spent."""
    metrics_bytes: int = 0
    """Length of metrics.jsonl."""

    def advance(self, updates: int) -> None:
        """Count an update of an epoch that has so many."""
        self.update += 1
        self.update_in_epoch += 1
        self.position = self.epoch + self.update_in_epoch / updates
        if self.update_in_epoch == updates:
            self.epoch, self.update_in_epoch = self.epoch + 1, 0

    def record_validation(self, figures: dict[str, float], metric: str) -> bool:
        """Take note of a validation, and return whether it is the best so far."""
        self.validated = self.update
        better = not self.best or _rank(figures[metric]) < _rank(self.best[metric])
        self.stale = 0 if better else self.stale + 1
        self.best = figures if better else self.best
        return better


class RunDirectory:
    """The files of a run.

    Models that the state refers to are written before the state, and deleted after the next one: whenever the
    process is killed, `state.pt` and what it needs are there and agree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.metrics = path / "metrics.jsonl"
        self.state = path / "state.pt"
        self.last = path / "last.safetensors"
        self.best = path / "best.safetensors"
        self.averaged = path / "averaged.safetensors"

    def open(self, resume: bool) -> dict[str, Any] | None:
        """Make the directory, and return the training state when a run is to be resumed and has saved one.

        Raises:
            ConfigError: another run is in the directory, and is not to be resumed.
            CheckpointError: the directory cannot be made, or the state cannot be read.
        """
        try:
            self.snapshot(0).parent.mkdir(parents=True, exist_ok=True)
            used = any(path.exists() for path in (self.metrics, self.state, self.last, self.best))
        except OSError as error:
            raise CheckpointError(
                f"{self.path}: cannot be a run directory ({error.strerror}); name another with --run-dir"
            ) from None
        if used and not resume:
            raise ConfigError(
                f"{self.path}: holds a run already; go on with --resume, or name another with --run-dir"
            )
        return checkpoint.load_state(self.state) if self.state.exists() else None

    def write_config(self, text: str) -> None:
        """Write the resolved recipe."""
        write_atomically(self.config, lambda file: file.write(text.encode()))

    def snapshot(self, update: int) -> Path:
        """Return the path of the model that was validated after an update."""
        return self.path / "snapshots" / f"{update:08d}.safetensors"

    def save_state(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        at: RunProgress,
        carry: tuple[Tensor, ...],
        tokens: str,
    ) -> None:
        """Write the training state, and delete the snapshots that it no longer refers to."""
        state = {
            "progress": asdict(at), "model": model.state_dict(), "optimizer": optimizer.state_dict(),
            "tokens": tokens,
        }  # fmt: skip
        checkpoint.save_state(self.state, state | ({"carry": carry} if carry else {}))
        kept = {self.snapshot(update) for update in at.snapshots}
        for path in set(self.snapshot(0).parent.glob("*.safetensors")) - kept:
            path.unlink()

    def restore(
        self, state: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer, tokens: str
    ) -> RunProgress:
        """Put a training state back into a model and its optimiser.

        Raises:
            CheckpointError: it is the state of another model, or of another version of this package.
            ConfigError: the numbers of its tokens mean something else by now.
        """
        if state.get("tokens", tokens) != tokens:
            raise ConfigError(
                f"{self.path}: the run has other tokens than would be learnt now; resume it with the same "
                "command and data, --from included"
            )
        try:
            misfits = compare(model, state["model"])
            if misfits:
                raise CheckpointError(
                    f"{self.state}: the run has another model ({misfits[0]}); did the config change?"
                )
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return RunProgress(**state["progress"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.state}: not a training state of this version ({error!r})") from None

    def average(self, updates: list[int]) -> dict[str, Tensor]:
        """Return the mean of the snapshots' weights; what is no floating-point number is the last's."""
        return checkpoint.mean(checkpoint.load(self.snapshot(update)).weights for update in updates)


def _rank(figure: float) -> float:
    return math.inf if math.isnan(figure) else figure


def compare(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Return in what way weights do not fit a model, a phrase a tensor."""
    own = model.state_dict()
    misfits = []
    for name in [*own, *(name for name in weights if name not in own)]:
        if name not in weights:
            misfits.append(f"{name} is new")
        elif name not in own:
            misfits.append(f"{name} has no place")
        elif own[name].shape != weights[name].shape:
            misfits.append(f"{name} is {list(own[name].shape)}, was {list(weights[name].shape)}")
    return misfits


def warm_start(path: Path, task: str, model: nn.Module) -> str:
    """Copy the weights of a model file that fit into a model, and return what was copied and what was not.

    Raises:
        CheckpointError: the file is of another task, or nothing in it fits.
    """
    weights = checkpoint.load(path, task=task).weights
    own = model.state_dict()
    fitting = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
    if not fitting:
        raise CheckpointError(f"{path}: none of its weights fit this model; compare the configs")
    model.load_state_dict(fitting, strict=False)
    misfits = compare(model, weights)
    rest = f"; not copied: {', '.join(misfits)}" if misfits else ""
    return f"started from {path}: {len(fitting)} of {len(own)} tensors copied{rest}"
