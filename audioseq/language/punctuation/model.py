"""The recurrent network: from the subwords of each word to the scores of its case and its mark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audioseq.language.punctuation.batch import PAUSE_BOUNDS, UNKNOWN_PAUSE, ScoreArrays, pad_words
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.labels import CASES, MARKS
from audioseq.nn import CellName, LockedDropout, RecurrentStack


class Words(NamedTuple):
    """A padded batch of texts."""

    pieces: Tensor
    """Subwords of each word, int64 `[B, T, S]`; 0 is none."""
    pauses: Tensor
    """Class of the pause after each word, int64 `[B, T]`."""
    lengths: Tensor
    """Words of each text, int64 `[B]`."""


class Scores(NamedTuple):
    """Unnormalised log probabilities of the labels of each word."""

    cases: Tensor
    """`[B, T, len(CASES)]`."""
    marks: Tensor
    """`[B, T, len(MARKS)]`."""


class PunctuationModel(nn.Module):
    """Sum of subword embeddings for each word, recurrent stack, and a linear layer for both labels.

    The network takes one step per word, and reads words in both directions. The class of the pause after a
    word is embedded, and added to the word.

    Args:
        vocabulary: number of subwords V; id 0 is none.
        embedding_size: features E of a subword.
        hidden_size: features H of each direction of a recurrent layer.
        num_layers: number of layers.
        cell: `lstm`, `gru`, `rnn_tanh` or `rnn_relu`.
        dropout: probability of zeroing a feature of the words or of a layer for a whole text.
    Example:
        >>> model = PunctuationModel(10, embedding_size=4, hidden_size=6, num_layers=1)
        >>> pieces = torch.tensor([[[1, 2], [3, 0], [4, 0]]])
        >>> scores = model(Words(pieces, torch.zeros(1, 3, dtype=torch.int64), torch.tensor([3])))
        >>> scores.cases.shape, scores.marks.shape
        (torch.Size([1, 3, 3]), torch.Size([1, 3, 8]))
    """

    def __init__(
        self,
        vocabulary: int,
        embedding_size: int = 160,
        hidden_size: int = 160,
        num_layers: int = 2,
        *,
        cell: CellName = "lstm",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding_size, padding_idx=0)
        self.pause_embedding = nn.Embedding(len(PAUSE_BOUNDS) + 2, embedding_size, padding_idx=UNKNOWN_PAUSE)
        for table in (self.embedding, self.pause_embedding):
            nn.init.normal_(table.weight, std=0.3)
            nn.init.zeros_(table.weight[0])
        self.dropout = LockedDropout(dropout)
        self.stack = RecurrentStack(
            cell, embedding_size, hidden_size, num_layers,
            bidirectional=True, dropout=dropout, locked=True,
        )  # fmt: skip
        self.head = nn.Linear(self.stack.output_size, len(CASES) + len(MARKS))

    def forward(self, words: Words) -> Scores:
        """Score the labels of each word."""
        x = self.embedding(words.pieces).sum(2) + self.pause_embedding(words.pauses)
        y, _ = self.stack(self.dropout(x), words.lengths)
        return Scores(*self.head(y).split([len(CASES), len(MARKS)], dim=2))

    @torch.no_grad()
    def score_rows(
        self, rows: Sequence[Sequence[Sequence[int]]], pauses: Sequence[Sequence[float] | None]
    ) -> ScoreArrays:
        """Score the labels of each word of texts `[B, T, ...]`.

        Args:
            rows, pauses: as in `pad_words`.
        """
        device = self.head.weight.device
        scores = self(Words(*(part.to(device) for part in batch_words(rows, pauses))))
        return ScoreArrays(*(part.cpu().numpy() for part in scores))


def build(config: PunctuationConfig, vocabulary: int) -> PunctuationModel:
    """Build the model of a recipe with random weights."""
    return PunctuationModel(vocabulary, **config.model.model_dump())


def batch_words(rows: Sequence[Sequence[Sequence[int]]], pauses: Sequence[Sequence[float] | None]) -> Words:
    """Return a batch of texts.

    Args:
        rows: the subwords of each word of each text.
        pauses: seconds of silence after each word of each text; None if they are not known.
    """
    return Words(*map(torch.from_numpy, pad_words(rows, pauses)))
