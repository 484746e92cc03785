"""Four-part harmonisation as a training task: transposition, batches, loss and validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import read_recipe, resolve
from audioseq.data import length_batches, pad
from audioseq.errors import DataError
from audioseq.music.data.corpora import read_manifest
from audioseq.music.harmony.config import HarmonyConfig
from audioseq.music.harmony.model import ORDER, HarmonyModel, build
from audioseq.music.harmony.voices import load_pieces, to_tokens, transposition_range
from audioseq.music.representation.part_writing import REST
from audioseq.seeding import keyed_generator
from audioseq.training import HasConfig, Loss, TrainingResult, fit

VALIDATION_BATCH_PIECES = 16


def train(
    source: Path,
    *,
    run_dir: Path,
    overrides: Sequence[str] = (),
    valid: Path | None = None,
    start_from: str | Path | None = None,
    resume: bool = False,
    smoke: bool = False,
    device: str = "auto",
) -> TrainingResult:
    """Train a model of four-part harmony from a recipe.

    Args:
        source: a recipe's `config.toml`.
        run_dir: run directory for models, metrics and training state.
        overrides: changes to the recipe, such as `training.epochs=20`.
        valid: manifest to validate on, instead of the recipe's.
        start_from: name or path of a model to start from.
        resume: resume the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of minutes.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError: the recipe is invalid.
        DataError: a manifest cannot be read, or has no usable pieces.
        CheckpointError: the model cannot be read.
    """
    table = read_recipe(source, valid)
    if start_from is not None:
        start_from = models.resolve(start_from, task="harmony")
        table = {"model": checkpoint.read_header(start_from).config["model"]} | table
    config = resolve(HarmonyConfig, table, overrides, smoke=smoke, where=str(source))
    pieces, held_out = (
        load_pieces(entry for path in paths for entry in read_manifest(path))
        for paths in (config.data.train, config.data.valid)
    )
    task = HarmonyTask(config, pieces, list(held_out.values()))
    return fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )


class HarmonyBatch(NamedTuple):
    """A batch of padded pieces."""

    tokens: Tensor
    """Tokens of all voices, int64 `[B, T, 4]`."""
    lengths: Tensor
    """Sixteenths of each piece, int64 `[B]`."""


class HarmonyTask(HasConfig):
    """Four-part harmonisation for the training loop.

    Args:
        config: the recipe.
        train: training pieces as `to_frames` returns them, by id; the id selects the random transposition.
        valid: validation pieces.
    Raises:
        DataError: no pieces are given.
    """

    name = "harmony"
    metric = "nats"

    def __init__(
        self, config: HarmonyConfig, train: Mapping[str, np.ndarray], valid: Sequence[np.ndarray]
    ) -> None:
        if not train or not valid:
            raise DataError("no pieces are left to train or validate on; check data.train and data.valid")
        self.config = config
        self.train, self.valid = list(train.items()), list(valid)
        torch.manual_seed(config.training.seed)
        self.model = build(config.model)

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch; pieces in a batch have similar lengths."""
        lengths, size = [len(frames) for _, frames in self.train], self.config.data.sixteenths_per_batch
        seed = self.config.training.seed
        return length_batches(lengths, size, seed=seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> HarmonyBatch:
        """Transpose pieces at random within the ranges of the voices, and pad them."""
        limit, transposed = self.config.data.transpose, []
        for name, frames in (self.train[index] for index in indices):
            down, up = transposition_range(frames)
            generator = keyed_generator(self.config.training.seed, epoch, name)
            shift = int(torch.randint(max(down, -limit), min(up, limit) + 1, (), generator=generator))
            transposed.append(np.where(frames == REST, REST, frames + shift))
        return _batch(transposed)

    def loss(self, batch: HarmonyBatch, model: nn.Module) -> Loss:
        """Compute the nats of the lower voices; the weight is the number of sixteenths in all three."""
        return Loss(model(*batch).sum(), int(batch.lengths.sum()) * len(ORDER))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Compute the negative log-likelihood in nats per voice and sixteenth."""
        assert isinstance(model, HarmonyModel)
        return evaluate_nll(model, self.valid)

    def header(self, card: dict[str, object]) -> Header:
        """Return the header of the model file."""
        return Header("harmony", self.config.model_dump(mode="json", exclude={"card"}), card=card)


@torch.no_grad()
def evaluate_nll(model: HarmonyModel, pieces: Sequence[np.ndarray]) -> dict[str, float]:
    """Compute the nats of the lower voices given the melody, per sixteenth: the mean and of each voice."""
    device, ordered = next(model.parameters()).device, sorted(pieces, key=len)
    total, count = np.zeros(len(ORDER)), 0
    for start in range(0, len(ordered), VALIDATION_BATCH_PIECES):
        batch = _batch(ordered[start : start + VALIDATION_BATCH_PIECES])
        nats = model(*(part.to(device) for part in batch))
        total += nats.double().sum(dim=(0, 1)).cpu().numpy()
        count += int(batch.lengths.sum())
    each = dict(zip(("nats_alto", "nats_tenor", "nats_bass"), (total / count).tolist(), strict=True))
    return {"nats": float(total.sum()) / count / len(ORDER)} | each


def _batch(pieces: Sequence[np.ndarray]) -> HarmonyBatch:
    return HarmonyBatch(*pad([torch.from_numpy(to_tokens(frames)) for frames in pieces]))
