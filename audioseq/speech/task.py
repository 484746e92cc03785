"""Training of speech recognition: batches of utterances, CTC loss, validation by word error rate."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.audio.features import global_statistics
from audioseq.checkpoint import Header
from audioseq.data import Utterance, length_batches, pad, read_manifest
from audioseq.device import choose_device
from audioseq.errors import DataError
from audioseq.seeding import keyed_generator
from audioseq.speech.config import SpeechConfig, resolve_config
from audioseq.speech.data.cache import WaveformCache, to_int16
from audioseq.speech.data.collate import (
    Recordings,
    SpeechBatch,
    TextOnlyBatch,
    augment,
    batch_loss,
    compute_features,
    pad_ids,
    pad_samples,
)
from audioseq.speech.data.resident import ResidentSamples, is_resident
from audioseq.speech.data.synthetic import PhoneEncoder, TextOnlyData, first_sentences, open_text_only_data
from audioseq.speech.decoding.decoder import inherited_options
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.metrics import ErrorRate
from audioseq.speech.model import AcousticModel, build
from audioseq.text.subwords import SubwordTokenizer, restore_tokenizer
from audioseq.text.tokenizer import CharTokenizer, Tokenizer, normalise
from audioseq.training import GivesAdvice, HasConfig, Loss, TrainingResult, fit
from audioseq.training.distributed import Group, join_group

STATISTICS_UTTERANCES = 500
"""Number of recordings that the mean and standard deviation of each mel band are computed from."""
SPEED_MARGIN = 1.12
"""Factor of the duration that CTC needs for a text; leaves room for speed perturbation."""


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
    """Train a recogniser from a recipe, or from a manifest of your own recordings.

    Args:
        source: a recipe's `config.toml`, or a manifest (`.jsonl`) to train on with the default recipe.
        run_dir: run directory, for models, metrics and training state.
        overrides: changes to the recipe, such as `training.epochs=20`.
        valid: manifest to validate on; required if the source is a manifest.
        start_from: name or path of a model for a warm start; layers of equal shape take its weights.
        resume: continue the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: a run of seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`; on a GPU, the recipe's `[gpu]` table is applied.
    Returns:
        paths of the models, and metrics.
    Raises:
        ConfigError, DataError, CheckpointError: the recipe, the data or the model is invalid.
    """
    if start_from is not None:
        start_from = models.resolve(start_from, task="speech")
    start = None if start_from is None else checkpoint.read_header(start_from)
    gpu = choose_device(device).type == "cuda"
    config = resolve_config(
        source, overrides, valid=valid, smoke=smoke, gpu=gpu, start=start, run_dir=run_dir
    )
    same_tokens = start and all(start.config.get(k) == getattr(config, k) for k in ("alphabet", "subwords"))
    tokenizer = restore_tokenizer(start.tokenizer) if start and same_tokens else None
    examples, held_out = (_read(paths, config.alphabet) for paths in (config.data.train, config.data.valid))
    task = SpeechTask(config, examples, held_out, tokenizer)
    task.prepare(join_group(device))
    # The recommended decoding of the model stays suitable as long as its tokens do.
    inherited = inherited_options(start.card) if start and same_tokens else {}
    card = {**inherited, **config.card}
    return fit(task, config.training, run_dir, resume=resume, start_from=start_from, card=card, device=device)


def _read(paths: Sequence[Path], alphabet: str) -> list[Utterance]:
    """Read the utterances of manifests, and normalise their texts."""
    return [
        replace(utterance, text=normalise(utterance.text, alphabet).text)
        for path in paths
        for utterance in read_manifest(path)
    ]


class SpeechTask(HasConfig, GivesAdvice):
    """Speech recognition by CTC for the training loop, see `audioseq.training.Task`.

    Args:
        config: the recipe.
        train, valid: utterances with normalised texts.
        tokenizer: subwords of a model to start from; by default they are learnt from the texts.
    Raises:
        DataError: no utterance can be used, or a text has characters outside the alphabet.
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
        if config.model.p2g_layers:
            self.units, self.text_only = open_text_only_data(config.text_only)
        if config.subwords:
            texts = chain((utterance.text for utterance in train), first_sentences(config.text_only))
            self.tokenizer = tokenizer or SubwordTokenizer.learn(texts, config.subwords, config.alphabet)
        torch.manual_seed(config.training.seed)
        self.model = build(config, self.tokenizer)
        self.cache: WaveformCache | None = None
        self.resident: ResidentSamples | None = None
        reasons = [self._reason_to_leave_out(utterance) for utterance in train]
        self.left_out = Counter(reason for reason in reasons if reason)
        self.train = [utterance for utterance, reason in zip(train, reasons, strict=True) if not reason]
        self.valid = sorted(valid, key=lambda utterance: utterance.duration)
        if not self.train:
            raise DataError(f"no utterances to train on; left out: {dict(self.left_out)}")
        if not self.valid:
            raise DataError("no utterances to validate on; set data.valid to a manifest")

    def prepare(self, group: Group) -> None:
        """Decode the recordings into the cache, and set the feature statistics from a sample of them."""
        if group.rank == 0:
            for reason, count in self.left_out.items():
                print(f"left out {count} utterances: {reason}", file=sys.stderr)
        if self.config.data.cache:
            group.on_first_rank(self._build_cache)
            self.cache = cache = WaveformCache(self.config.data.cache)
            self.train = [utterance for utterance in self.train if utterance in cache]
            self.valid = [utterance for utterance in self.valid if utterance in cache]
        chosen = torch.randperm(
            len(self.train), generator=torch.Generator().manual_seed(self.config.training.seed)
        )[:STATISTICS_UTTERANCES]
        log_mel = self.model.log_mel
        waveforms = (self._samples(self.train[i]).astype(np.float32) / 32768 for i in chosen)
        log_mel.set_statistics(*global_statistics(log_mel, waveforms))
        if is_resident(self.config.data.resident, (each.duration for each in self.train), group.device):
            self.resident = ResidentSamples(list(map(self._samples, self.train)), group.device)

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of one epoch, each a list of indices into the training utterances."""
        data = self.config.data
        return length_batches(
            [utterance.duration for utterance in self.train],
            data.seconds_per_batch,
            seed=self.config.training.seed,
            epoch=epoch,
            shortest_first=epoch < data.shortest_first,
            max_size=data.max_batch or None,
            multiple=data.batch_multiple,
        )

    def collate(self, indices: Sequence[int], epoch: int) -> SpeechBatch:
        """Read utterances, and draw their augmentation, which depends only on (seed, epoch, utterance id)."""
        utterances = [self.train[index] for index in indices]
        texts = [utterance.text for utterance in utterances]
        encode = self.tokenizer.encode
        phones, sentences = self._draw_text_only(indices, epoch)
        return SpeechBatch(
            tuple(indices), self._augmented(indices, epoch), *pad_ids(map(encode, texts)),
            *pad_ids((self.units and self.units(text)) or () for text in texts),
            TextOnlyBatch(*pad(phones), *pad_ids(map(encode, sentences))) if phones else None,
            sum(map(len, texts)) + sum(map(len, sentences)), sum(each.duration for each in utterances),
        )  # fmt: skip

    def loss(self, batch: SpeechBatch, model: nn.Module) -> Loss:
        """Return the CTC loss summed over the batch; its weight is the number of characters."""
        share = self.config.intermediate_weight if self.units else 0.0
        if self.resident:
            samples = self.resident.read(batch.numbers)
            batch = batch._replace(recordings=batch.recordings._replace(samples=samples))
        return Loss(batch_loss(batch, cast(AcousticModel, model), share), batch.characters, batch.seconds)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return word and character error rates of greedy decoding, and the share of empty hypotheses."""
        model = cast(AcousticModel, model)
        device = model.log_mel.mean.device
        words, chars, empty = ErrorRate(), ErrorRate(), 0
        for batch in self._valid_batches():
            samples, sizes = pad_samples([self._samples(utterance) for utterance in batch])
            emissions = model(*compute_features(Recordings(samples.to(device), sizes), model.log_mel))
            rows = emissions.log_probs.cpu().numpy()
            for utterance, row, length in zip(batch, rows, emissions.lengths.tolist(), strict=True):
                text = self.tokenizer.decode(greedy(row[:length]).tokens)
                words.add(utterance.text.split(), text.split())
                chars.add(list(utterance.text), list(text))
                empty += not text
        return {"wer": words.rate, "cer": chars.rate, "empty": empty / len(self.valid)}

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Return what to try if the model emits only blanks after an epoch."""
        if metrics["empty"] < 0.95:
            return None
        return (
            "the model emits only blanks so far. CTC starts on a plateau, and leaves it sooner with short "
            "utterances first (data.shortest_first), smaller batches (data.seconds_per_batch) and a higher "
            "learning rate; also check that the texts belong to their recordings"
        )

    def header(self, card: dict[str, object]) -> Header:
        """Return the header of the model file."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("speech", config, self.model.log_mel.options, self.tokenizer.to_dict(), card)

    def _augmented(self, indices: Sequence[int], epoch: int) -> Recordings:
        """Read recordings, unless they are on the device, and draw their effects and masks."""
        utterances = [self.train[index] for index in indices]
        if self.resident:
            lengths = tuple(self.resident.lengths[index] for index in indices)
            recordings = Recordings(torch.zeros(0, dtype=torch.int16), lengths)
        else:
            recordings = Recordings(*pad_samples([self._samples(utterance) for utterance in utterances]))
        generators = [keyed_generator(self.config.training.seed, epoch, each.id) for each in utterances]
        wave, spec = self.config.wave_augment, self.config.spec_augment
        return augment(recordings, generators, wave, spec, self.model.log_mel)

    def _draw_text_only(self, indices: Sequence[int], epoch: int) -> tuple[list[Tensor], list[str]]:
        """Draw synthetic phone posteriors and their sentences for a batch; none without text-only data."""
        if self.text_only is None or self.config.text_only is None:
            return [], []
        generator = keyed_generator(self.config.training.seed, epoch, f"texts {self.train[indices[0]].id}")
        random = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        drawn = self.text_only.draw(self.config.text_only.sentences * len(indices), random)
        return [phones for phones, _ in drawn], [text for _, text in drawn]

    def _reason_to_leave_out(self, utterance: Utterance) -> str | None:
        """Return why an utterance cannot be used for CTC training, or None."""
        data, tokens = self.config.data, self.tokenizer.encode(utterance.text)
        frames = len(tokens) + sum(a == b for a, b in pairwise(tokens))  # blanks between repeats
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

    def _samples(self, utterance: Utterance) -> np.ndarray:
        """Return the 16-bit samples `[N]` of an utterance."""
        return self.cache.load(utterance) if self.cache else to_int16(utterance.load())

    def _valid_batches(self) -> Iterator[list[Utterance]]:
        for batch in length_batches(
            [utterance.duration for utterance in self.valid],
            self.config.data.seconds_per_batch, seed=0, epoch=0, shortest_first=True,
        ):  # fmt: skip
            yield [self.valid[index] for index in batch]
