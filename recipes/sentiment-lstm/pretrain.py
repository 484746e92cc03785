"""Pretraining: a forward and a backward language model with the layers of the classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from model import MAX_INITIAL_WEIGHT
from torch import Tensor, nn

from audioseq.checkpoint import Header
from audioseq.data import length_batches, pad
from audioseq.language.units import Units
from audioseq.language.vocabulary import Vocabulary
from audioseq.nn import LockedDropout, Recurrent, length_mask
from audioseq.training import Loss


class BidirectionalLanguageModel(nn.Module):
    """The embedding and the LSTMs of a `Classifier`, with the same names, and heads that predict words.

    Both directions use the embedding as output weights. Source: Peters et al. 2018, "Deep
    contextualized word representations", without character inputs.

    Args:
        vocabulary, embedding_size, hidden_size: as in `Classifier`.
        dropout: probability of zeroing a feature of all embeddings of a sentence, or of all its outputs.
    """

    def __init__(self, vocabulary: int, embedding_size: int, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        nn.init.uniform_(self.embedding.weight, -MAX_INITIAL_WEIGHT, MAX_INITIAL_WEIGHT)
        self.recurrent = Recurrent("lstm", embedding_size, hidden_size, bidirectional=True)
        self.locked = LockedDropout(dropout)
        self.ahead, self.back = (nn.Linear(hidden_size, embedding_size) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features that predict tokens, and these tokens; M predictions, the forward ones first.

        Args:
            tokens: sentences with end tokens on both sides `[B, T]`.
            lengths: lengths of the sentences with these tokens `[B]`.
        Returns:
            features `[M, E]` and tokens `[M]`.
        """
        y, _ = self.recurrent(self.locked(self.embedding(tokens)), lengths)
        ahead, back = self.locked(y).chunk(2, dim=2)
        valid = length_mask(lengths - 1, tokens.shape[1] - 1)
        features = torch.cat([self.ahead(ahead[:, :-1][valid]), self.back(back[:, 1:][valid])])
        return features, torch.cat([tokens[:, 1:][valid], tokens[:, :-1][valid]])


class Sentences(NamedTuple):
    """Sentences as tokens `[B, T]`, with their lengths `[B]`."""

    tokens: Tensor
    lengths: Tensor


class PretrainingTask:
    """Language models of unlabelled sentences as a training task.

    The softmax of the training loss is taken over the words of the batch, because scoring all words of the
    vocabulary would take most of the time. Each score is corrected by the log probability that its word
    occurs in a batch (Bengio & Senécal 2008). Validation uses the softmax over all words.

    Args:
        train, valid: normalised sentences.
        network: arguments of `BidirectionalLanguageModel` except the vocabulary.
        words: size of the vocabulary, the most frequent words.
        batch_tokens: maximum number of tokens in a batch, with padding.
        seed: seed of weights and batches.
    """

    name, metric = "sentiment", "nats"

    def __init__(
        self,
        train: Sequence[str],
        valid: Sequence[str],
        network: dict[str, Any],
        *,
        words: int,
        batch_tokens: int,
        seed: int,
    ) -> None:
        torch.manual_seed(seed)
        counts = Counter(word for line in train for word in line.split())
        self.units = Units(Vocabulary.from_counts(counts, words))
        self.options, self.model = network, BidirectionalLanguageModel(self.units.size, **network)
        self.train, self.valid = self._encode(train), self._encode(valid)
        self.batch_tokens, self.seed = batch_tokens, seed
        frequency = torch.bincount(torch.cat(self.train), minlength=self.units.size).clamp(min=1)
        self.log_inclusion = torch.log1p(
            -torch.exp(-batch_tokens * frequency / frequency.sum()).clamp(max=1 - 1e-6)
        )

    def _encode(self, lines: Sequence[str]) -> list[Tensor]:
        end = self.units.end
        return [torch.tensor([end, *self.units.encode(line), end]) for line in lines]

    def plan(self, epoch: int) -> list[list[int]]:
        """Group sentences of similar length in a random order of batches."""
        lengths = [float(len(tokens)) for tokens in self.train]
        return length_batches(lengths, self.batch_tokens, seed=self.seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Sentences:
        """Pad sentences."""
        return Sentences(*pad([self.train[index] for index in indices]))

    def loss(self, batch: Sentences, model: nn.Module) -> Loss:
        """Return the negative log probability of the words among those of the batch, in nats."""
        features, targets = model(*batch)
        words, places = targets.unique(return_inverse=True)
        scores = (
            features @ self.model.embedding.weight[words].T + (self.model.bias - self.log_inclusion)[words]
        )
        return Loss(nn.functional.cross_entropy(scores.float(), places, reduction="sum"), len(targets))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean negative log probability of a word or end token, in nats."""
        nats = count = 0.0
        lengths = [float(len(tokens)) for tokens in self.valid]
        for batch in length_batches(lengths, self.batch_tokens, seed=0, epoch=0, shortest_first=True):
            features, targets = model(*pad([self.valid[index] for index in batch]))
            scores = features @ self.model.embedding.weight.T + self.model.bias
            nats += nn.functional.cross_entropy(scores, targets, reduction="sum").item()
            count += len(targets)
        return {"nats": nats / count}

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file, from which a classifier is initialised."""
        return Header("sentiment", self.options, tokenizer=self.units.to_dict(), card=card)
