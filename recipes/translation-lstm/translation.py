"""Translation for the training loop: what a recipe may say, and pairs of sentences to a loss and to BLEU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, cast

import torch
from decode import hypotheses
from pairs import BEGIN, PAD, Pair, Subwords, needed
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
"""Sentences, and their translations, a line each."""


class DataConfig(Config):
    """Which pairs, and how they are batched."""

    train: Files
    valid: Files
    test: Files
    vocabulary: Annotated[int, Field(ge=300)] = 6000
    """Subwords of both languages together."""
    tokens_per_batch: Positive = 1200
    """Bound of the number of pairs times the length of the longest."""
    longest: Positive = 100
    """Pairs in which a sentence has more tokens are not learnt from."""


class ModelConfig(Config):
    """What `Translator` is made with."""

    size: Positive = 256
    layers: Positive = 2
    dropout: Share = 0.3
    word_dropout: Share = 0.1


class SearchConfig(Config):
    """Beams and length penalties to try on the validation pairs. A model file keeps the best, one of each."""

    beams: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 5, 10)
    penalties: Annotated[tuple[float, ...], Field(min_length=1)] = (0.0, 0.5, 1.0)


class TranslationConfig(Config):
    """The recipe."""

    data: DataConfig
    model: ModelConfig = ModelConfig()
    label_smoothing: Share = 0.1
    """Share of the probability that is to be spread over all tokens (Szegedy et al. 2016)."""
    training: TrainingConfig = TrainingConfig()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Each trains a model, in place of `training.seed`."""
    search: SearchConfig = SearchConfig()
    card: dict[str, str] = Field(default_factory=dict)
    """What the model files say of themselves, beside what training knows."""


class Batch(NamedTuple):
    """Pairs: ids of sources `[B, T]` with their lengths `[B]`, and of targets `[B, U]`, padded."""

    source: Tensor
    lengths: Tensor
    target: Tensor


class TranslationTask(HasConfig, GivesAdvice):
    """Pairs of sentences and a network, as the training loop wants them.

    Args:
        config: the recipe.
        train, valid: pairs.
    Raises:
        DataError: all pairs to train on are too long.
    """

    name, metric = "translation", "lost"

    def __init__(self, config: TranslationConfig, train: Sequence[Pair], valid: Sequence[Pair]) -> None:
        self.config, self.valid = config, list(valid)
        self.subwords = Subwords.learn([text for pair in train for text in pair], config.data.vocabulary)
        encoded = [tuple(map(self.subwords.encode, pair)) for pair in train]
        self.pairs = [pair for pair in encoded if max(map(len, pair)) <= config.data.longest]
        self.too_long = len(train) - len(self.pairs)
        if not self.pairs:
            raise DataError(f"all {len(train)} pairs are longer than data.longest = {config.data.longest}")
        torch.manual_seed(config.training.seed)
        self.model = Translator(self.subwords.size, **config.model.model_dump())

    def plan(self, epoch: int) -> list[list[int]]:
        """Return batches of pairs of like length."""
        lengths = [max(map(len, pair)) for pair in self.pairs]
        budget, seed = self.config.data.tokens_per_batch, self.config.training.seed
        return length_batches(lengths, budget, seed=seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Pad pairs."""
        sources, targets = zip(*(self.pairs[index] for index in indices), strict=True)
        return Batch(*pad([*map(torch.tensor, sources)]), pad([*map(torch.tensor, targets)])[0])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the cross-entropy with the smoothed targets, as a sum over their tokens."""
        known = torch.cat([torch.full_like(batch.target[:, :1], BEGIN), batch.target[:, :-1]], dim=1)
        scores = model(batch.source, batch.lengths, known)
        total = cross_entropy(
            scores.flatten(0, 1), batch.target.flatten(), ignore_index=PAD, reduction="sum",
            label_smoothing=self.config.label_smoothing,
        )  # fmt: skip
        return Loss(total, int((batch.target != PAD).sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the BLEU of greedy translations, and what it lacks to 100: lower must be better."""
        sources, targets = zip(*self.valid, strict=True)
        found = hypotheses(cast(Translator, model), self.subwords, sources, beam=1)
        score = bleu([self.subwords.decode(best.tokens) for (best,) in found], targets)
        return {"bleu": score, "lost": 100 - score}

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Tell what is not learnt from."""
        longest = self.config.data.longest
        return f"{self.too_long} pairs of more than {longest} tokens left out" if self.too_long else None

    def header(self, card: dict[str, Any]) -> Header:
        """Return what it takes to make the model again."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("translation", config, tokenizer=self.subwords.to_dict(), card=card)


def bleu(texts: Sequence[str], references: Sequence[str], *, lowercase: bool = False) -> float:
    """Return the BLEU of translations, 0 to 100: sacreBLEU's, of plain text, which it tokenises itself."""
    metric = needed("sacrebleu").BLEU(lowercase=lowercase)
    return float(metric.corpus_score(list(texts), [list(references)]).score)
