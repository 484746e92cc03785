"""The experiment: every network on every set with every seed, each validated and then tested once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import dataset
import torch
from pydantic import Field
from task import Kind, NllTask, evaluate, load

from audioseq.config import Config
from audioseq.errors import ConfigError
from audioseq.training import TrainingConfig, fit

SetName = Literal["jsb", "nottingham", "muse", "piano", "voices"]
Size = Annotated[int, Field(ge=1)]


class RowConfig(Config):
    """A row of the table on one set: a network and its training."""

    set: SetName
    name: str
    """What the network is called in the table."""
    network: dict[str, Any]
    """Arguments of `RollModel` without the number of keys, or of `VoiceModel`."""
    training: TrainingConfig
    window_frames: Size = 256
    """Maximum number of frames of a training example."""
    batch_frames: Size = 600
    """Maximum number of frames of a batch, with padding."""

    @property
    def kind(self) -> Kind:
        """What the pieces are."""
        return "voices" if self.set == "voices" else "rolls"

    @property
    def digest(self) -> str:
        """Eight letters that change with the settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]


class ExperimentConfig(Config):
    """The recipe."""

    data: Path
    """Folder written by prepare.py."""
    order: tuple[int, int, int, int]
    """The voices, 0 being the soprano, in the order in which they are predicted."""
    seeds: tuple[int, ...]
    rows: tuple[RowConfig, ...]


class Experiment:
    """An experiment in a folder.

    Args:
        config: the recipe.
        run_dir: folder of the runs and of `figures.jsonl`, with one line for each finished run.
        resume: continue the experiment in the folder: finished runs are skipped, and one that was stopped
            continues. Runs of other settings are neither used nor deleted.
    Raises:
        ConfigError: the folder contains an experiment, and `resume` is false.
    """

    def __init__(self, config: ExperimentConfig, run_dir: Path, *, resume: bool) -> None:
        self.config, self.run_dir, self.journal = config, run_dir, run_dir / "figures.jsonl"
        if self.journal.exists() and not resume:
            raise ConfigError(
                f"{run_dir}: contains an experiment; continue it with --resume, or choose another folder "
                "with --run-dir"
            )
        torch.set_num_threads(1)

    def run(self, sets: list[str]) -> Iterator[str]:
        """Train and test the unfinished runs of some sets, or of all if the list is empty; describe each."""
        for row in self.config.rows:
            for seed in self.config.seeds if row.set in (sets or [row.set]) else ():
                if not self.find(row, seed):
                    figures = self._train(row, seed)
                    with open(self.journal, "a", encoding="utf-8") as file:
                        file.write(json.dumps(figures) + "\n")
                    yield (
                        f"{row.set}, {row.name}, seed {seed}: validation {figures['valid']:.3f}, "
                        f"test {figures['test']:.3f} nats"
                    )

    def find(self, row: RowConfig, seed: int) -> dict[str, Any] | None:
        """Return the figures of a finished run."""
        key = {"set": row.set, "name": row.name, "seed": seed, "digest": row.digest}
        lines = self.journal.read_text(encoding="utf-8").splitlines() if self.journal.exists() else []
        return next((figures for figures in map(json.loads, lines) if key.items() <= figures.items()), None)

    def results(self) -> list[dict[str, Any]]:
        """Return the figures of the finished runs, in the order of the recipe."""
        found = (self.find(row, seed) for row in self.config.rows for seed in self.config.seeds)
        return [figures for figures in found if figures]

    def _train(self, row: RowConfig, seed: int) -> dict[str, Any]:
        path = self.config.data / f"{row.set}.npz"
        options: dict[str, Any] = {"network": row.network}
        if row.kind == "voices":
            options["order"] = list(self.config.order)
        task = NllTask(
            row.kind,
            options,
            dataset.read(path, "train"),
            dataset.read(path, "valid"),
            window_frames=row.window_frames,
            batch_frames=row.batch_frames,
            seed=seed,
        )
        folder = self.run_dir / f"{row.set}-{row.name}-{seed}-{row.digest}".replace(" ", "-")
        training, started = row.training.model_copy(update={"seed": seed}), time.process_time()
        result = fit(task, training, folder, resume=True, device="cpu")
        model, encode, header = load(result.best)
        cells = 4 if row.kind == "voices" else 1  # the published unit: a cell of one voice, or a frame
        test = evaluate(model, [encode(piece) for piece in dataset.read(path, "test")])
        return {
            "set": row.set,
            "name": row.name,
            "seed": seed,
            "digest": row.digest,
            "valid": result.metrics["nats"] / cells,
            "test": test / cells,
            "parameters": sum(weights.numel() for weights in model.parameters()),
            "epochs": header.card["epochs"],
            "cpu_minutes": (time.process_time() - started) / 60,  # since the last --resume
            "model": result.best.relative_to(self.run_dir).as_posix(),
        }
