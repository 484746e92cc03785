"""Music for the training loop: pieces to streams of events, events to nats, nats of each style."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import read_recipe, resolve
from audioseq.errors import DataError
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import divide
from audioseq.music.data.examples import Example, read_data
from audioseq.music.memorisation.fingerprint import Fingerprint, write_fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import FEATURES
from audioseq.seeding import keyed_generator
from audioseq.training import Loss, TrainingResult, fit
from audioseq.training.distributed import join

ADAPTING = {"data": {"streams": 8}, "training": {"learning_rate": 3e-4, "warmup": 20}}
"""What suits a trained model that is adapted to a few pieces, where the user says nothing else."""
MOST_ASKED = 300
"""Pieces of a style whose conditions a model file keeps: what is asked for where the user leaves it open."""
MEASURED_AT_ONCE = 32
MEASURED_STRETCH = 512


class MusicBatch(NamedTuple):
    """A stretch of each stream."""

    features: Tensor
    """What the model is told before each event `[B, T, FEATURES]`."""
    events: Tensor
    """`[B, T, 6]`; -1 in what does not count."""
    fresh: Tensor
    """Whether a piece begins here, so that nothing is remembered `[B]`."""


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
    """Train a composer from a recipe, or from one's own pieces.

    Args:
        source: a recipe's `config.toml`, or what to train on with the default recipe: a manifest (`.jsonl`),
            or a folder of MIDI files, of which a tenth is held out.
        run_dir: where models, metrics and training state go.
        overrides: changes to the recipe, such as `training.epochs=20`.
        valid: manifest to validate on; with a manifest as source it must be given.
        start_from: name or path of a model to start from.
        resume: go on with the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError, DataError, CheckpointError: what is wrong with the recipe, the data or the model.
    """
    if start_from is not None:
        start_from = models.resolve(start_from, task="music")
    if source.is_dir():
        group = join(device)
        source, held_out = group.first(lambda: divide(source, run_dir))
        valid = valid or held_out
    own = {}
    if start_from is not None:  # the model stays what it is
        own = {**ADAPTING, "model": checkpoint.read_header(start_from).config["model"]}
    table = read_recipe(source, valid, own, "pieces")
    config = resolve(MusicConfig, table, overrides, smoke=smoke, where=str(source))
    group = join(device)
    examples, others = group.first(lambda: read_data(config.data))
    task = MusicTask(config, examples, others)
    result = fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )
    if group.rank == 0:
        heard = Fingerprint.of(example.piece() for example in examples)
        write_fingerprint(heard, {result.best, result.last}, known_to=start_from)
    return result


class MusicTask:
    """The next event of pieces, as the training loop wants it.

    Args:
        config: the recipe.
        train, valid: pieces.
    Raises:
        DataError: there are none.
    """

    name = "music"
    metric = "nats_per_note"

    def __init__(self, config: MusicConfig, train: Sequence[Example], valid: Sequence[Example]) -> None:
        if not train or not valid:
            raise DataError(
                "no pieces are left to train on, or to validate on; check data.train and data.valid"
            )
        self.config = config
        repeats = config.data.repeats
        self.train = [
            example for example in train for _ in range(repeats.get(v.STYLES[example.conditions.style], 1))
        ]
        self.valid = sorted(valid, key=lambda example: len(example.events))
        torch.manual_seed(config.training.seed)
        self.model = build(config.model)
        self.carry: tuple[Tensor, ...] = ()
        self._written: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._streams: tuple[int, list[list[tuple[int, int]]]] = (-1, [])

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch: the n-th example of each is a stretch of the n-th stream."""
        count = self.config.data.streams
        length = max(map(len, self._stretches(epoch)))
        return [[window * count + stream for stream in range(count)] for window in range(length)]

    def collate(self, indices: Sequence[int], epoch: int) -> MusicBatch:
        """Cut the stretches; augmentation depends on (seed, epoch, place of the piece) alone."""
        data, streams = self.config.data, self._stretches(epoch)
        rows = np.zeros((len(indices), data.stretch, FEATURES), np.int64)
        events = np.full((len(indices), data.stretch, len(v.FIELDS)), -1, np.int64)
        fresh = torch.ones(len(indices), dtype=torch.bool)
        for i, index in enumerate(indices):
            window, stream = divmod(index, data.streams)
            if window >= len(streams[stream]):  # this stream has ended
                continue
            piece, start = streams[stream][window]
            told, seen = self._piece(piece, epoch)
            told, seen = told[start : start + data.stretch], seen[start : start + data.stretch]
            events[i, : len(told)], rows[i, : len(told)] = told, seen
            fresh[i] = start == 0
        return MusicBatch(torch.from_numpy(rows), torch.from_numpy(events), fresh)

    def loss(self, batch: MusicBatch, model: nn.Module) -> Loss:
        """Return the nats of the events of a batch; its weight is their number."""
        assert isinstance(model, MusicModel)
        kept = [part * (~batch.fresh)[:, None] for part in self.carry]
        state = tuple(zip(kept[::2], kept[1::2], strict=True)) if self._is_lstm else tuple(kept)
        summary, after = model(batch.features, state or None)
        assert after is not None
        parts = [part for layer in after for part in (layer if isinstance(layer, tuple) else (layer,))]
        self.carry = tuple(part.detach().float() for part in parts)
        counted = batch.events[:, :, v.STEP] >= 0
        nats = model.losses(summary[counted], batch.events[counted])
        return Loss(nats.sum(), int(counted.sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return nats per note and per event of each style, and the mean of the styles."""
        assert isinstance(model, MusicModel)
        return measure(model, self.valid)

    def header(self, card: dict[str, object]) -> Header:
        """Return what the model file says; also what may be asked for where the user leaves it open."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        asked: dict[str, list[object]] = defaultdict(list)
        for example in sorted(
            {example.id: example for example in self.train}.values(),
            key=lambda example: hashlib.sha256(example.id.encode()).digest(),
        ):
            rows = asked[v.STYLES[example.conditions.style]]
            if len(rows) < MOST_ASKED:
                rows.append(asdict(example.conditions))
        return Header("music", config, {}, {"asked": dict(asked)}, card)

    @property
    def _is_lstm(self) -> bool:
        return self.config.model.cell == "lstm"

    def _stretches(self, epoch: int) -> list[list[tuple[int, int]]]:
        """Return the stretches of each stream: which piece, and from which event on."""
        if self._streams[0] != epoch:
            data = self.config.data
            order = torch.randperm(
                len(self.train), generator=keyed_generator(self.config.training.seed, epoch, "order")
            )
            streams: list[list[tuple[int, int]]] = [[] for _ in range(data.streams)]
            for piece in order.tolist():
                shortest = min(streams, key=len)
                shortest += [
                    (piece, start) for start in range(0, len(self.train[piece].events), data.stretch)
                ]
            self._streams = epoch, streams
            self._augmented: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        return self._streams[1]

    def _piece(self, index: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the events and features of a piece, augmented for an epoch; one piece a stream is kept."""
        if index not in self._augmented:
            example = self.train[index]
            if example.id not in self._written:
                self._written[example.id] = example.written()
            pair = self._written[example.id]
            if self.config.augment:
                generator = keyed_generator(self.config.training.seed, epoch, f"{index}/{example.id}")
                pair = self.config.augment(*pair, generator)
            if len(self._augmented) >= 2 * self.config.data.streams:
                del self._augmented[next(iter(self._augmented))]
            self._augmented[index] = pair
        return self._augmented[index]


def measure(model: MusicModel, examples: Sequence[Example]) -> dict[str, float]:
    """Return nats per note and per event of each style, and the mean of the styles.

    What bar lines and the end cost is counted in the nats per note too.
    """
    nats: dict[str, float] = defaultdict(float)
    notes: dict[str, int] = defaultdict(int)
    events: dict[str, int] = defaultdict(int)
    for start in range(0, len(examples), MEASURED_AT_ONCE):
        some = examples[start : start + MEASURED_AT_ONCE]
        for example, found in zip(some, nats_of(model, some), strict=True):
            style = v.STYLES[example.conditions.style]
            nats[style] += float(found.sum())
            notes[style] += int((example.events[:, v.PITCH] >= 0).sum())
            events[style] += len(example.events)
    figures = {f"nats_per_note_{style}": nats[style] / max(notes[style], 1) for style in nats}
    figures = {"nats_per_note": sum(figures.values()) / len(figures), **figures}
    return figures | {f"nats_per_event_{style}": nats[style] / events[style] for style in nats}


@torch.no_grad()
def nats_of(model: MusicModel, examples: Sequence[Example]) -> list[np.ndarray]:
    """Return the nats of each field of each event of pieces, `[E, 6]` each; they go through as one batch."""
    device = next(model.parameters()).device
    pairs = [example.written() for example in examples]
    longest = max(len(events) for events, _ in pairs)
    found = [np.zeros(events.shape, np.float32) for events, _ in pairs]
    state = None
    for start in range(0, longest, MEASURED_STRETCH):
        rows = np.zeros((len(pairs), min(MEASURED_STRETCH, longest - start), FEATURES), np.int64)
        told = np.full((*rows.shape[:2], len(v.FIELDS)), -1, np.int64)
        for i, (events, seen) in enumerate(pairs):
            part = events[start : start + MEASURED_STRETCH]
            told[i, : len(part)], rows[i, : len(part)] = part, seen[start : start + MEASURED_STRETCH]
        summary, state = model(torch.from_numpy(rows).to(device), state)
        target = torch.from_numpy(told).to(device)
        nats = model.losses(summary.flatten(0, 1), target.flatten(0, 1)).unflatten(0, target.shape[:2])
        for i, (events, _) in enumerate(pairs):
            part = nats[i, : max(0, min(len(events) - start, MEASURED_STRETCH))]
            found[i][start : start + len(part)] = part.cpu().numpy()
    return found
