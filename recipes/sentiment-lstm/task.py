"""Sentiment for the training loop: texts to batches, scores to a loss, and accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from model import Classifier
from texts import Text
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.data import length_batches, pad
from audioseq.errors import DataError
from audioseq.language.units import Units, restore_units
from audioseq.language.vocabulary import Vocabulary
from audioseq.text.tokenizer import normalise
from audioseq.training import Loss

SCORED = 8192
"""Tokens, padding counted, that are scored at once."""


class Batch(NamedTuple):
    """Texts as tokens `[B, T]` with their lengths `[B]`, and whether each is positive `[B]`."""

    tokens: Tensor
    lengths: Tensor
    labels: Tensor


class SentimentTask:
    """Texts and a network, as the training loop wants them.

    Each piece of a long text is an example of its own, with the label of the text.

    Args:
        network: what `Classifier` is made with, beside the vocabulary.
        train, valid: texts.
        units: the tokens.
        batch_size, batch_tokens: greatest number of pieces in a batch, and of their tokens, padding counted.
        seed: what the batches are drawn by.
    """

    name, metric = "sentiment", "error"

    def __init__(
        self,
        network: dict[str, Any],
        train: Sequence[Text],
        valid: Sequence[Text],
        units: Units,
        *,
        batch_size: int,
        batch_tokens: int,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        self.options, self.units = network, units
        self.model = Classifier(units.size, **network)
        pieces = [self.model.pieces(tokens) for tokens in encode(units, train)]
        self.train = list(chain.from_iterable(pieces))
        labels = torch.tensor([float(text.label) for text in train])
        self.labels = labels.repeat_interleave(torch.tensor([len(own) for own in pieces]))
        self.held_out, self.valid = encode(units, valid), list(valid)
        self.batch_size, self.batch_tokens, self.seed = batch_size, batch_tokens, seed

    def plan(self, epoch: int) -> list[list[int]]:
        """Group pieces of like length, in an order of the epoch's own."""
        lengths = [float(len(tokens)) for tokens in self.train]
        return length_batches(
            lengths,
            self.batch_tokens,
            seed=self.seed,
            epoch=epoch,
            shortest_first=False,
            max_size=self.batch_size,
        )

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Return the batch of these pieces."""
        return Batch(*pad([self.train[index] for index in indices]), self.labels[indices])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the binary cross-entropy, in nats; its weight is the number of pieces."""
        scores = model(batch.tokens, batch.lengths)
        return Loss(
            binary_cross_entropy_with_logits(scores.float(), batch.labels, reduction="sum"), len(scores)
        )

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the share of validation texts that are judged wrongly, and the cross-entropy."""
        return judge(score(cast(Classifier, model), self.held_out), self.valid)

    def header(self, card: dict[str, Any]) -> Header:
        """Return what it takes to make the model again."""
        return Header("sentiment", self.options, tokenizer=self.units.to_dict(), card=card)


def count_words(texts: Sequence[Text], at_least: int = 2) -> Units:
    """Return the words of texts as tokens; those that are rarer all are `<unk>`."""
    return Units(
        Vocabulary.from_counts(Counter(w for t in texts for w in t.words.split()), at_least=at_least)
    )


def encode(units: Units, texts: Sequence[Text]) -> list[Tensor]:
    """Return the tokens of each text."""
    return [torch.tensor(units.encode(text.words)) for text in texts]


def stored_units(path: Path) -> Units:
    """Return the tokens of a model file."""
    return restore_units(checkpoint.read_header(path).tokenizer)


@torch.no_grad()
def score(model: Classifier, texts: Sequence[Tensor]) -> Tensor:
    """Return the scores of tokenised texts `[N]`, each the mean over its pieces.

    The model is in evaluation mode.
    """
    cut = [model.pieces(tokens) for tokens in texts]
    pieces = list(chain.from_iterable(cut))
    scores = torch.empty(len(pieces))
    for batch in length_batches([len(t) for t in pieces], SCORED, seed=0, epoch=0, shortest_first=True):
        scores[batch] = model(*pad([pieces[index] for index in batch]))
    return torch.stack([own.mean() for own in scores.split([len(own) for own in cut])])


def judge(scores: Tensor, texts: Sequence[Text]) -> dict[str, float]:
    """Return the share of scores that are on the wrong side, and the cross-entropy."""
    labels = torch.tensor([float(text.label) for text in texts])
    loss = binary_cross_entropy_with_logits(scores, labels).item()
    return {"error": ((scores > 0) != (labels > 0)).float().mean().item(), "loss": loss}


def load(path: Path) -> tuple[Classifier, Units]:
    """Open a trained model."""
    stored = checkpoint.load(path, task="sentiment")
    units = restore_units(stored.header.tokenizer)
    model = Classifier(units.size, **stored.header.config)
    stored.fill(model)
    return model.eval(), units


@torch.no_grad()
def after_each_word(model: Classifier, units: Units, text: str) -> list[tuple[str, float]]:
    """Return each word of a text, and how probably positive the text is if it ends there.

    The network reads every beginning of the text by itself, since its LSTM that runs backwards starts anew
    at each end.

    Raises:
        DataError: the text has no words.
    """
    words = normalise(text).text.split()
    if not words:
        raise DataError(f"{text[:60]!r} has no words to judge; give at least one")
    beginnings = [torch.tensor(units.encode(" ".join(words[:end]))) for end in range(1, len(words) + 1)]
    return list(zip(words, score(model, beginnings).sigmoid().tolist(), strict=True))
