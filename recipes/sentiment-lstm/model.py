"""The network: embeddings of words, an LSTM, and one number, positive or negative."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from audioseq.nn import LockedDropout, Recurrent, length_mask

SPREAD = 0.05
"""Embeddings start uniform between minus and plus this, as those of Keras do."""


class Classifier(nn.Module):
    """Score a text: above 0 it is positive, and the sigmoid of the score is how probably.

    With `pooling="last"` and nothing dropped it is the network of the tutorials: an embedding, an LSTM, and a
    dense layer on its last output. Pooling looks at all outputs instead: their mean and their maximum,
    feature by feature. The ways of dropping are those of `audioseq.language.model`.

    Args:
        vocabulary: number of tokens V.
        embedding_size: features E of a token.
        hidden_size: features H of one direction.
        bidirectional: whether a second LSTM reads the text from its end.
        pooling: `last` output of each direction, or `mean` and maximum of all.
        dropout: probability of zeroing a feature of all embeddings of a text, and of what is scored.
        embedding_dropout: probability of zeroing all features of a token wherever it stands in a batch.
        weight_drop: probability of zeroing a recurrent weight.
        piece: tokens of a text that are read at once, at most; see `pieces`.
    Example:
        >>> model = Classifier(10, embedding_size=4, hidden_size=6, bidirectional=True, pooling="mean")
        >>> model(torch.ones(2, 5, dtype=torch.int64), torch.tensor([5, 2])).shape
        torch.Size([2])
    """

    def __init__(
        self,
        vocabulary: int,
        embedding_size: int = 128,
        hidden_size: int = 64,
        *,
        bidirectional: bool = False,
        pooling: Literal["last", "mean"] = "last",
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        weight_drop: float = 0.0,
        piece: int = 10_000,
    ) -> None:
        super().__init__()
        self.pooling, self.piece = pooling, piece
        self.embedding_dropout = embedding_dropout
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        nn.init.uniform_(self.embedding.weight, -SPREAD, SPREAD)
        self.locked = LockedDropout(dropout)
        self.recurrent = Recurrent(
            "lstm", embedding_size, hidden_size, bidirectional=bidirectional, weight_drop=weight_drop
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size * (1 if pooling == "last" else 2), 1)

    def pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Cut the tokens of a text `[T]` into as few pieces as it takes, of like length."""
        return tokens.tensor_split(-(-len(tokens) // self.piece))

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Score texts.

        Args:
            tokens: ids, int64 `[B, T]`.
            lengths: valid tokens of each text, at least 1, int64 `[B]`.
        Returns:
            scores `[B]`: log odds of being positive.
        """
        x = self.locked(self.embedding(tokens))
        if self.training and self.embedding_dropout:
            kept = nn.functional.dropout(x.new_ones(self.embedding.num_embeddings, 1), self.embedding_dropout)
            x = x * kept[tokens]
        y, _ = self.recurrent(x, lengths)
        scores: Tensor = self.head(self.dropout(self._pool(y, lengths)))
        return scores.squeeze(1)

    def _pool(self, y: Tensor, lengths: Tensor) -> Tensor:
        """Map outputs `[B, T, H]` to what is scored `[B, H]` or `[B, 2 H]`."""
        if self.pooling == "last":
            last = y[torch.arange(len(y)), lengths - 1]
            if self.recurrent.backward_layer is None:
                return last
            return torch.cat([last.chunk(2, dim=1)[0], y[:, 0].chunk(2, dim=1)[1]], dim=1)
        valid = length_mask(lengths, y.shape[1]).unsqueeze(2)
        most = y.masked_fill(~valid, -torch.inf).amax(1)
        return torch.cat([y.sum(1) / lengths.unsqueeze(1), most], dim=1)
