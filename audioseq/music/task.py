"""The training task of music: batches of event windows, the loss, and validation by style."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import read_recipe, resolve
from audioseq.errors import DataError
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import split_folder
from audioseq.music.data.examples import Example, read_data
from audioseq.music.memorisation.fingerprint import Fingerprint, write_fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import FEATURES
from audioseq.seeding import keyed_generator
from audioseq.training import CarriesState, HasConfig, Loss, TrainingResult, fit
from audioseq.training.distributed import join_group

ADAPTATION_DEFAULTS = {"data": {"streams": 8}, "training": {"learning_rate": 3e-4, "warmup": 20}}
"""Defaults for adapting a trained model to a few pieces."""
MAX_STORED_CONDITIONS = 300
"""Pieces per style whose conditions the model file stores; generation samples conditions from them."""
EVALUATION_BATCH_SIZE = 32
"""Pieces."""
EVALUATION_CHUNK_EVENTS = 512
"""Events per forward pass; bounds the memory of long pieces."""


class MusicBatch(NamedTuple):
    """One window of each stream."""

    features: Tensor
    """Input of the model before each event `[B, T, FEATURES]`."""
    events: Tensor
    """Targets `[B, T, 6]`; -1 in padding."""
    starts_piece: Tensor
    """Whether a piece begins with the window, so that the carried state is reset `[B]` bool."""


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
    """Train a music model with a recipe, or with the default recipe on a manifest or a folder.

    Args:
        source: a recipe's `config.toml`, a manifest (`.jsonl`), or a folder of MIDI files, a tenth of
            which is held out for validation.
        run_dir: folder for models, metrics and the training state.
        overrides: changes to the recipe, such as `training.epochs=20`.
        valid: manifest to validate on; required if the source is a manifest.
        start_from: name or path of a model to adapt.
        resume: continue the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError, DataError, CheckpointError: the recipe, the data or the model is invalid.
    """
    if start_from is not None:
        start_from = models.resolve(start_from, task="music")
    if source.is_dir():
        group = join_group(device)
        source, held_out = group.on_first_rank(lambda: split_folder(source, run_dir))
        valid = valid or held_out
    defaults = {}
    if start_from is not None:  # the weights only fit the architecture of the stored model
        defaults = {**ADAPTATION_DEFAULTS, "model": checkpoint.read_header(start_from).config["model"]}
    table = read_recipe(source, valid, defaults, "pieces")
    config = resolve(MusicConfig, table, overrides, smoke=smoke, where=str(source))
    group = join_group(device)
    examples, others = group.on_first_rank(lambda: read_data(config.data))
    task = MusicTask(config, examples, others)
    result = fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )
    if group.rank == 0:
        fingerprint = Fingerprint.from_pieces(example.piece() for example in examples)
        write_fingerprint(fingerprint, {result.best, result.last}, base_model=start_from)
    return result


class MusicTask(HasConfig, CarriesState):
    """Next-event prediction by truncated backpropagation through time.

    The pieces of an epoch are distributed over parallel streams and cut into windows. A batch holds the n-th
    window of each stream, and the state of the recurrent layers is carried from batch to batch.

    Args:
        config: the recipe.
        train, valid: pieces.
    Raises:
        DataError: a set has no pieces.
    """

    name = "music"
    metric = "nats_per_note"

    def __init__(self, config: MusicConfig, train: Sequence[Example], valid: Sequence[Example]) -> None:
        if not train or not valid:
            raise DataError("no piece is left for training or validation; check data.train and data.valid")
        self.config = config
        counts = (config.data.repeats.get(v.STYLES[example.conditions.style], 1) for example in train)
        self.train = [example for example, count in zip(train, counts, strict=True) for _ in range(count)]
        self.valid = sorted(valid, key=lambda example: len(example.events))
        torch.manual_seed(config.training.seed)
        self.model = build(config.model)
        self.carry: tuple[Tensor, ...] = ()
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._streams: tuple[int, list[list[tuple[int, int]]]] = (-1, [])

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch; example n of each batch is a window of stream n."""
        count = self.config.data.streams
        longest = max(map(len, self._windows(epoch)))
        return [[window * count + stream for stream in range(count)] for window in range(longest)]

    def collate(self, indices: Sequence[int], epoch: int) -> MusicBatch:
        """Return a batch of windows. Augmentation depends on the seed, the epoch and the piece alone."""
        data, streams = self.config.data, self._windows(epoch)
        features = np.zeros((len(indices), data.stretch, FEATURES), np.int64)
        events = np.full((len(indices), data.stretch, len(v.FIELDS)), -1, np.int64)
        starts_piece = torch.ones(len(indices), dtype=torch.bool)
        for i, index in enumerate(indices):
            window, stream = divmod(index, data.streams)
            if window >= len(streams[stream]):  # this stream has ended
                continue
            piece, start = streams[stream][window]
            piece_events, piece_features = self._augmented_piece(piece, epoch)
            part = piece_events[start : start + data.stretch]
            events[i, : len(part)] = part
            features[i, : len(part)] = piece_features[start : start + data.stretch]
            starts_piece[i] = start == 0
        return MusicBatch(torch.from_numpy(features), torch.from_numpy(events), starts_piece)

    def loss(self, batch: MusicBatch, model: nn.Module) -> Loss:
        """Return the negative log-likelihood of a batch, weighted by its number of events."""
        assert isinstance(model, MusicModel)
        is_lstm = self.config.model.cell == "lstm"
        kept = [part * (~batch.starts_piece)[:, None] for part in self.carry]
        state = tuple(zip(kept[::2], kept[1::2], strict=True)) if is_lstm else tuple(kept)
        summary, new_state = model(batch.features, state or None)
        parts = chain.from_iterable(new_state) if is_lstm else new_state
        self.carry = tuple(part.detach().float() for part in parts)
        counted = batch.events[:, :, v.STEP] >= 0
        return Loss(model.losses(summary[counted], batch.events[counted]).sum(), int(counted.sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return nats per note and per event of each style, and the mean of the styles."""
        assert isinstance(model, MusicModel)
        return compute_metrics(model, self.valid)

    def header(self, card: dict[str, object]) -> Header:
        """Return the header of the model file, with the conditions that generation samples from."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        conditions: dict[str, list[object]] = defaultdict(list)
        for example in sorted(
            {example.id: example for example in self.train}.values(),
            key=lambda example: hashlib.sha256(os.fsencode(example.id)).digest(),
        ):
            rows = conditions[v.STYLES[example.conditions.style]]
            if len(rows) < MAX_STORED_CONDITIONS:
                rows.append(asdict(example.conditions))
        return Header("music", config, {}, {"asked": dict(conditions)}, card)

    def _windows(self, epoch: int) -> list[list[tuple[int, int]]]:
        """Return the windows of each stream: index of the piece, and first event."""
        if self._streams[0] != epoch:
            data = self.config.data
            generator = keyed_generator(self.config.training.seed, epoch, "order")
            order = torch.randperm(len(self.train), generator=generator)
            streams: list[list[tuple[int, int]]] = [[] for _ in range(data.streams)]
            for piece in order.tolist():
                stream = min(streams, key=len)
                stream += [(piece, start) for start in range(0, len(self.train[piece].events), data.stretch)]
            self._streams = epoch, streams
            self._augmented: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        return self._streams[1]

    def _augmented_piece(self, index: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the events and features of a piece, augmented for an epoch; the last pieces are cached."""
        if index not in self._augmented:
            example = self.train[index]
            if example.id not in self._arrays:
                self._arrays[example.id] = example.model_arrays()
            pair = self._arrays[example.id]
            if self.config.augment:
                generator = keyed_generator(self.config.training.seed, epoch, f"{index}/{example.id}")
                pair = self.config.augment(*pair, generator)
            if len(self._augmented) >= 2 * self.config.data.streams:
                del self._augmented[next(iter(self._augmented))]
            self._augmented[index] = pair
        return self._augmented[index]


def compute_metrics(model: MusicModel, examples: Sequence[Example]) -> dict[str, float]:
    """Return nats per note and per event of each style, and the mean of the styles.

    The nats of bar lines and of the end count in the nats per note too.
    """
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))  # nats, notes and events of each style
    for start in range(0, len(examples), EVALUATION_BATCH_SIZE):
        some = examples[start : start + EVALUATION_BATCH_SIZE]
        for example, nats in zip(some, compute_nats(model, some), strict=True):
            notes = (example.events[:, v.PITCH] >= 0).sum()
            sums[v.STYLES[example.conditions.style]] += nats.sum(), notes, len(nats)
    totals = {style: each.tolist() for style, each in sums.items()}
    per_note = {f"nats_per_note_{style}": nats / max(notes, 1) for style, (nats, notes, _) in totals.items()}
    per_event = {f"nats_per_event_{style}": nats / events for style, (nats, _, events) in totals.items()}
    return {"nats_per_note": sum(per_note.values()) / len(per_note), **per_note, **per_event}


@torch.no_grad()
def compute_nats(model: MusicModel, examples: Sequence[Example]) -> list[np.ndarray]:
    """Return the negative log-likelihood of each field of pieces in nats, `[E, 6]` each, as one batch."""
    device = next(model.parameters()).device
    pairs = [tuple(map(torch.from_numpy, example.model_arrays())) for example in examples]
    events = pad_sequence([events for events, _ in pairs], batch_first=True, padding_value=-1)
    features = pad_sequence([features for _, features in pairs], batch_first=True)
    size, chunks, state = EVALUATION_CHUNK_EVENTS, [], None
    for inputs, targets in zip(features.split(size, dim=1), events.split(size, dim=1), strict=True):
        summary, state = model(inputs.to(device).long(), state)
        nats = model.losses(summary.flatten(0, 1), targets.flatten(0, 1).to(device).long())
        chunks.append(nats.unflatten(0, targets.shape[:2]).cpu())
    rows = torch.cat(chunks, dim=1).numpy()
    return [row[: len(example.events)] for row, example in zip(rows, examples, strict=True)]
