"""Speech for the training loop: utterances to batches, batches to the CTC loss, and word error rate."""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.audio.features import global_statistics
from audioseq.checkpoint import Header
from audioseq.config import merge, read_recipe, resolve
from audioseq.data import Utterance, length_batches, pad, read_manifest
from audioseq.errors import DataError
from audioseq.seeding import keyed_generator
from audioseq.speech.config import SpeechConfig, TextOnlyConfig
from audioseq.speech.data.cache import WaveformCache
from audioseq.speech.data.collate import SpeechBatch, TextOnlyBatch, batch_loss, pad_ids
from audioseq.speech.data.synthetic import PhoneEncoder, TextOnlyData, first_sentences, open_text_only_data
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.metrics import ErrorRate
from audioseq.speech.model import AcousticModel, build
from audioseq.speech.pronunciation import ENGLISH
from audioseq.text.subwords import SubwordTokenizer, restore
from audioseq.text.tokenizer import CharTokenizer, Tokenizer, normalise
from audioseq.training import Loss, TrainingResult, fit
from audioseq.training.distributed import Group, join

STATISTICS_UTTERANCES = 500
"""Recordings from which the mean and deviation of each mel band are taken."""
ADAPTING: dict[str, Any] = {
    "data": {"seconds_per_batch": 40.0, "shortest_first": 0},
    "training": {"learning_rate": 2e-4, "warmup": 20, "epochs": 10.0, "decay": 0.8},
}
"""How a trained model is adapted to minutes of another's recordings, unless told otherwise."""
SPEED_MARGIN = 1.12
"""Room for faster speech (speed perturbation) when asking whether CTC can fit a text into its recording."""


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
    """Train a recogniser from a recipe or from a manifest of one's own recordings.

    Args:
        source: a recipe's `config.toml`, or a manifest (`.jsonl`) to train on with the default recipe.
        run_dir: where models, metrics and training state go.
        overrides: changes to the recipe, such as `training.epochs=20`.
        valid: manifest to validate on; with a manifest as source it must be given.
        start_from: name or path of a model to start from; layers that fit take its weights.
        resume: go on with the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError, DataError, CheckpointError: what is wrong with the recipe, the data or the model.
    """
    if start_from is not None:
        start_from = models.resolve(start_from, task="speech")
    start = None if start_from is None else checkpoint.read_header(start_from)
    config = _config(source, overrides, valid, smoke, start, run_dir)
    tokenizer = None
    if start and (start.config.get("alphabet"), start.config.get("subwords")) == (
        config.alphabet,
        config.subwords,
    ):
        tokenizer = restore(start.tokenizer)
    examples, held_out = (_read(paths, config.alphabet) for paths in (config.data.train, config.data.valid))
    task = SpeechTask(config, examples, held_out, tokenizer)
    task.prepare(join(device))
    return fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )


def _config(
    source: Path,
    overrides: Sequence[str],
    valid: Path | None,
    smoke: bool,
    start: Header | None,
    run_dir: Path,
) -> SpeechConfig:
    own = merge({} if start is None else ADAPTING, {"data": {"cache": str(run_dir / "cache")}})
    table = read_recipe(source, valid, own, "recordings")
    if start is not None:  # the model stays what it is, where the recipe does not say otherwise
        kept = {key: start.config[key] for key in ("alphabet", "subwords", "model") if key in start.config}
        table = kept | table
    config = resolve(SpeechConfig, table, overrides, smoke=smoke, where=str(source))
    if start is not None and config.spelling is None and config.alphabet == start.config.get("alphabet"):
        spelling = start.config.get("spelling")
        if isinstance(spelling, dict) and spelling.get("dictionary") == ENGLISH:
            return config.model_copy(update={"spelling": TextOnlyConfig()})
    return config


def _read(paths: Sequence[Path], alphabet: str) -> list[Utterance]:
    return [
        replace(utterance, text=normalise(utterance.text, alphabet).text)
        for path in paths
        for utterance in read_manifest(path)
    ]


class SpeechTask:
    """Speech recognition by CTC, as the training loop wants it.

    Args:
        config: the recipe.
        train, valid: utterances; texts are normalised by the tokenizer's rules already.
        tokenizer: subwords that are known already; they are learnt from the texts where it is not given.
    Raises:
        DataError: no utterance is left, or a text has characters outside the alphabet.
    """

    name = "speech"
    metric = "wer"

    def __init__(
        self,
        config: SpeechConfig,
        train: Sequence[Utterance],
        valid: Sequence[Utterance],
        tokenizer: Tokenizer | None = None,
    ) -> None:
        self.config = config
        self.tokenizer: Tokenizer = CharTokenizer(config.alphabet)
        self.units: PhoneEncoder | None = self.tokenizer.encode
        self.text_only: TextOnlyData | None = None
        if config.model.speller_layers:
            self.units, self.text_only = open_text_only_data(config.spelling)
        if config.subwords:
            texts = chain((utterance.text for utterance in train), first_sentences(config.spelling))
            self.tokenizer = tokenizer or SubwordTokenizer.learn(texts, config.subwords, config.alphabet)
        torch.manual_seed(config.training.seed)
        self.model = build(config, self.tokenizer)
        self.log_mel = copy.deepcopy(self.model.log_mel)  # stays on the CPU when the model moves
        self.cache: WaveformCache | None = None
        objections = [self._objection(utterance) for utterance in train]
        self.left_out = Counter(reason for reason in objections if reason)
        self.train = [utterance for utterance, reason in zip(train, objections, strict=True) if not reason]
        self.valid = sorted(valid, key=lambda utterance: utterance.duration)
        if not self.train:
            raise DataError(f"no utterances to train on are left; left out were {dict(self.left_out)}")
        if not self.valid:
            raise DataError("no utterances to validate on; name a manifest in data.valid")

    def prepare(self, group: Group) -> None:
        """Decode the recordings into the cache, and normalise features by the statistics of a sample."""
        if group.rank == 0:
            for reason, count in self.left_out.items():
                print(f"left out {count} utterances: {reason}", file=sys.stderr)
        if self.config.data.cache:
            group.first(self._build_cache)
            self.cache = cache = WaveformCache(self.config.data.cache)
            self.train = [utterance for utterance in self.train if utterance in cache]
            self.valid = [utterance for utterance in self.valid if utterance in cache]
        chosen = torch.randperm(
            len(self.train), generator=torch.Generator().manual_seed(self.config.training.seed)
        )[:STATISTICS_UTTERANCES]
        mean, std = global_statistics(self.log_mel, (self._waveform(self.train[i]).numpy() for i in chosen))
        self.log_mel.set_statistics(mean, std)
        self.model.log_mel.set_statistics(mean, std)

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of one epoch, each a list of indices into the training utterances."""
        # The model may have other statistics by now: those of the model or run that it goes on from.
        self.log_mel.load_state_dict(self.model.log_mel.state_dict())
        data = self.config.data
        return length_batches(
            [utterance.duration for utterance in self.train],
            data.seconds_per_batch,
            seed=self.config.training.seed,
            epoch=epoch,
            shortest_first=epoch < data.shortest_first,
        )

    def collate(self, indices: Sequence[int], epoch: int) -> SpeechBatch:
        """Read, augment and pad the utterances; augmentation depends on (seed, epoch, utterance) alone."""
        features, texts, seconds = [], [], 0.0
        for index in indices:
            utterance = self.train[index]
            waveform = self._waveform(utterance)
            generator = keyed_generator(self.config.training.seed, epoch, utterance.id)
            if self.config.wave_augment:
                waveform = self.config.wave_augment(waveform, generator)
            frames = self._features(waveform)
            if self.config.spec_augment:
                frames = self.config.spec_augment(frames, generator)
            features.append(frames)
            texts.append(utterance.text)
            seconds += utterance.duration
        encode = self.tokenizer.encode
        phones, spelt = self._unrecorded(indices, epoch)
        return SpeechBatch(
            *pad(features), *pad_ids(map(encode, texts)),
            *pad_ids((self.units and self.units(text)) or () for text in texts),
            TextOnlyBatch(*pad(phones), *pad_ids(map(encode, spelt))) if phones else None,
            sum(map(len, texts)) + sum(map(len, spelt)), seconds,
        )  # fmt: skip

    def loss(self, batch: SpeechBatch, model: nn.Module) -> Loss:
        """Return the CTC loss summed over the batch; its weight is the number of characters."""
        share = self.config.intermediate_weight if self.units else 0.0
        return Loss(batch_loss(batch, cast(AcousticModel, model), share), batch.characters, batch.seconds)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return word and character error rates of greedy decoding, and the share of empty outputs."""
        device = next(model.parameters()).device
        words, chars, empty = ErrorRate(), ErrorRate(), 0
        for some in self._valid_batches():
            features, lengths = pad([self._features(self._waveform(utterance)) for utterance in some])
            emissions = model(features.to(device), lengths.to(device))
            rows = emissions.log_probs.cpu().numpy()
            for utterance, row, length in zip(some, rows, emissions.lengths.tolist(), strict=True):
                text = self.tokenizer.decode(greedy(row[:length]).tokens)
                words.add(utterance.text.split(), text.split())
                chars.add(list(utterance.text), list(text))
                empty += not text
        return {"wer": words.rate, "cer": chars.rate, "empty": empty / len(self.valid)}

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Say what to try when the model emits only blanks after an epoch."""
        if metrics["empty"] < 0.95:
            return None
        return (
            "the model emits only blanks so far. CTC starts on a plateau, and leaves it sooner with short "
            "utterances first (data.shortest_first), smaller batches (data.seconds_per_batch) and a higher "
            "learning rate; check also that the texts belong to their recordings"
        )

    def header(self, card: dict[str, object]) -> Header:
        """Return what the model file says about the model."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("speech", config, self.log_mel.options, self.tokenizer.to_dict(), card)

    def _unrecorded(self, indices: Sequence[int], epoch: int) -> tuple[list[Tensor], list[str]]:
        """Return what texts without recordings would sound like, and these texts, for a batch."""
        if self.text_only is None or self.config.spelling is None:
            return [], []
        generator = keyed_generator(self.config.training.seed, epoch, f"texts {self.train[indices[0]].id}")
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        drawn = self.text_only.draw(self.config.spelling.sentences * len(indices), random)
        return [phones for phones, _ in drawn], [text for _, text in drawn]

    def _objection(self, utterance: Utterance) -> str | None:
        """Return why CTC cannot learn from an utterance, if it cannot."""
        data, tokens = self.config.data, self.tokenizer.encode(utterance.text)
        frames = len(tokens) + sum(a == b for a, b in pairwise(tokens))  # a blank stands between repeats
        if utterance.duration < data.min_seconds:
            return f"shorter than data.min_seconds = {data.min_seconds:g}"
        if utterance.duration > data.max_seconds:
            return f"longer than data.max_seconds = {data.max_seconds:g}"
        if frames * self.model.frame_seconds * SPEED_MARGIN > utterance.duration:
            return "text too long for its audio"
        return None

    def _build_cache(self) -> None:
        assert self.config.data.cache is not None
        for error in WaveformCache(self.config.data.cache).build([*self.train, *self.valid]):
            print(f"left out: {error}", file=sys.stderr)

    def _waveform(self, utterance: Utterance) -> Tensor:
        if self.cache:
            return torch.from_numpy(self.cache.load(utterance).astype(np.float32) / 32768)
        return torch.from_numpy(utterance.load())

    def _features(self, waveform: Tensor) -> Tensor:
        features, _ = self.log_mel(waveform[None], torch.tensor([len(waveform)]))
        return features[0]  # type: ignore[no-any-return]

    def _valid_batches(self) -> Iterator[list[Utterance]]:
        for batch in length_batches(
            [utterance.duration for utterance in self.valid],
            self.config.data.seconds_per_batch, seed=0, epoch=0, shortest_first=True,
        ):  # fmt: skip
            yield [self.valid[index] for index in batch]
