"""The configuration of the recipe, and the training task of translation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import torch
from decode import find_hypotheses
from pairs import BEGIN, PAD, Pair, Subwords, import_optional
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from translator import Translator

from audioseq.checkpoint import Header
from audioseq.config import Config
from audioseq.data import length_batches, pad
from audioseq.errors import DataError
from audioseq.training import GivesAdvice, HasConfig, Loss, TrainingConfig

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Files = tuple[Path, Path]
"""Files of sentences and of their translations, one a line."""


class DataConfig(Config):
    """Sentence pairs and batches."""

    train: Files
    valid: Files
    test: Files
    vocabulary: Annotated[int, Field(ge=300)] = 6000
    """Number of subwords of both languages together."""
    tokens_per_batch: Positive = 1200
    """Maximum number of pairs times the length of the longest."""
    longest: Positive = 100
    """Training pairs in which a sentence has more tokens are skipped."""


class ModelConfig(Config):
    """Arguments of `Translator`."""

    size: Positive = 256
    layers: Positive = 2
    dropout: Share = 0.3
    word_dropout: Share = 0.1


class SearchConfig(Config):
    """Beam sizes and length penalties to tune on the validation pairs; a model file contains the best."""

    beams: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 5, 10)
    penalties: Annotated[tuple[float, ...], Field(min_length=1)] = (0.0, 0.5, 1.0)


class TranslationConfig(Config):
    """The recipe."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    label_smoothing: Share = 0.1
    """Share of the target probability that is distributed over all tokens (Szegedy et al. 2016)."""
    training: TrainingConfig = TrainingConfig()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """A model is trained with each; they replace `training.seed`."""
    search: SearchConfig = SearchConfig()
    card: dict[str, str] = Field(default_factory=dict)
    """Additional entries of the model card."""


class Batch(NamedTuple):
    """Padded ids of sources `[B, T]` with their lengths `[B]`, and of targets `[B, U]`."""

    source: Tensor
    lengths: Tensor
    target: Tensor


class TranslationTask(HasConfig, GivesAdvice):
    """Sentence pairs and a network as a training task.

    Args:
        config: the recipe.
        train, valid: sentence pairs.
    Raises:
        DataError: all training pairs are too long.
    """

    name, metric = "translation", "lost"

    def __init__(self, config: TranslationConfig, train: Sequence[Pair], valid: Sequence[Pair]) -> None:
        self.config, self.valid = config, list(valid)
        self.subwords = Subwords.learn([text for pair in train for text in pair], config.data.vocabulary)
        encoded = [tuple(map(self.subwords.encode, pair)) for pair in train]
        self.pairs = [pair for pair in encoded if max(map(len, pair)) <= config.data.longest]
        self.too_long = len(train) - len(self.pairs)
        if not self.pairs:
            raise DataError(
                f"all {len(train)} pairs are longer than data.longest = {config.data.longest}; increase it"
            )
        torch.manual_seed(config.training.seed)
        self.model = Translator(self.subwords.size, **config.model.model_dump())

    def plan(self, epoch: int) -> list[list[int]]:
        """Return batches of pairs of similar length."""
        lengths = [max(map(len, pair)) for pair in self.pairs]
        budget, seed = self.config.data.tokens_per_batch, self.config.training.seed
        return length_batches(lengths, budget, seed=seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Pad pairs."""
        sources, targets = zip(*(self.pairs[index] for index in indices), strict=True)
        return Batch(*pad([*map(torch.tensor, sources)]), pad([*map(torch.tensor, targets)])[0])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the cross-entropy with label smoothing, summed over the target tokens."""
        previous = torch.cat([torch.full_like(batch.target[:, :1], BEGIN), batch.target[:, :-1]], dim=1)
        scores = model(batch.source, batch.lengths, previous)
        total = cross_entropy(
            scores.flatten(0, 1), batch.target.flatten(), ignore_index=PAD, reduction="sum",
            label_smoothing=self.config.label_smoothing,
        )  # fmt: skip
        return Loss(total, int((batch.target != PAD).sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the BLEU of greedy translations, and `lost` = 100 - BLEU, which is minimised."""
        sources, targets = zip(*self.valid, strict=True)
        found = find_hypotheses(cast(Translator, model), self.subwords, sources, beam=1)
        score = bleu([self.subwords.decode(best.tokens) for (best,) in found], targets)
        return {"bleu": score, "lost": 100 - score}

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Report the number of skipped training pairs."""
        longest = self.config.data.longest
        return f"{self.too_long} pairs of more than {longest} tokens skipped" if self.too_long else None

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("translation", config, tokenizer=self.subwords.to_dict(), card=card)


def bleu(texts: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> float:
    """Return the BLEU of translations, 0 to 100, by sacreBLEU on raw text with its default tokeniser."""
    metric = import_optional("sacrebleu").BLEU(lowercase=lowercase)
    return float(metric.corpus_score(list(texts), [list(references)]).score)
