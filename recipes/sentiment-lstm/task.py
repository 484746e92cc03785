"""The training task of sentiment classification, and inference with trained models."""

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

MAX_BATCH_TOKENS = 8192
"""Maximum number of tokens in a batch for inference, with padding."""


class Batch(NamedTuple):
    """Texts as tokens `[B, T]` with their lengths `[B]`, and labels, 1 for positive `[B]`."""

    tokens: Tensor
    lengths: Tensor
    labels: Tensor


class SentimentTask:
    """Texts and a network as a training task.

    Each window of a long text is a separate example with the label of the text.

    Args:
        network: arguments of `Classifier` except the vocabulary.
        train, valid: labelled texts.
        units: the vocabulary.
        batch_size, batch_tokens: maximum number of windows in a batch, and of tokens with padding.
        seed: seed of weights and batches.
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
        self.labels = labels.repeat_interleave(torch.tensor([len(windows) for windows in pieces]))
        self.held_out, self.valid = encode(units, valid), list(valid)
        self.batch_size, self.batch_tokens, self.seed = batch_size, batch_tokens, seed

    def plan(self, epoch: int) -> list[list[int]]:
        """Group windows of similar length in a random order of batches."""
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
        """Pad windows."""
        return Batch(*pad([self.train[index] for index in indices]), self.labels[indices])

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Return the binary cross-entropy summed over the windows, in nats."""
        scores = model(batch.tokens, batch.lengths)
        return Loss(
            binary_cross_entropy_with_logits(scores.float(), batch.labels, reduction="sum"), len(scores)
        )

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the error rate and the cross-entropy on the validation texts."""
        return evaluate(score(cast(Classifier, model), self.held_out), self.valid)

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file."""
        return Header("sentiment", self.options, tokenizer=self.units.to_dict(), card=card)


def count_words(texts: Sequence[Text], at_least: int = 2) -> Units:
    """Build the vocabulary of texts; words that occur fewer than `at_least` times become `<unk>`."""
    return Units(
        Vocabulary.from_counts(Counter(w for t in texts for w in t.words.split()), at_least=at_least)
    )


def encode(units: Units, texts: Sequence[Text]) -> list[Tensor]:
    """Return the tokens of each text."""
    return [torch.tensor(units.encode(text.words)) for text in texts]


def stored_units(path: Path) -> Units:
    """Read the vocabulary of a model file."""
    return restore_units(checkpoint.read_header(path).tokenizer)


@torch.no_grad()
def score(model: Classifier, texts: Sequence[Tensor]) -> Tensor:
    """Score tokenised texts; the score of a text is the mean over its windows.

    Args:
        model: in evaluation mode.
        texts: N texts as tokens.
    Returns:
        scores `[N]`.
    """
    windows = [model.pieces(tokens) for tokens in texts]
    pieces = list(chain.from_iterable(windows))
    scores = torch.empty(len(pieces))
    for batch in length_batches(
        [len(t) for t in pieces], MAX_BATCH_TOKENS, seed=0, epoch=0, shortest_first=True
    ):
        scores[batch] = model(*pad([pieces[index] for index in batch]))
    return torch.stack([each.mean() for each in scores.split([len(each) for each in windows])])


def evaluate(scores: Tensor, texts: Sequence[Text]) -> dict[str, float]:
    """Return the error rate and the cross-entropy of scores."""
    labels = torch.tensor([float(text.label) for text in texts])
    loss = binary_cross_entropy_with_logits(scores, labels).item()
    return {"error": ((scores > 0) != (labels > 0)).float().mean().item(), "loss": loss}


def load(path: Path) -> tuple[Classifier, Units]:
    """Load a model file in evaluation mode, with its vocabulary."""
    stored = checkpoint.load(path, task="sentiment")
    units = restore_units(stored.header.tokenizer)
    model = Classifier(units.size, **stored.header.config)
    stored.fill(model)
    return model.eval(), units


@torch.no_grad()
def after_each_word(model: Classifier, units: Units, text: str) -> list[tuple[str, float]]:
    """Return each word of a text with the probability of the positive class after it.

    Each prefix of the text is evaluated separately, because the backward LSTM starts at its end.

    Raises:
        DataError: the text has no words.
    """
    words = normalise(text).text.split()
    if not words:
        raise DataError(f"{text[:60]!r} has no words to classify; give at least one")
    prefixes = [torch.tensor(units.encode(" ".join(words[:end]))) for end in range(1, len(words) + 1)]
    return list(zip(words, score(model, prefixes).sigmoid().tolist(), strict=True))
