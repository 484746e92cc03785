"""The network: word embeddings, an LSTM, and a score of positive sentiment."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from audioseq.nn import LockedDropout, Recurrent, length_mask

MAX_INITIAL_WEIGHT = 0.05
"""Embeddings are initialised uniformly between plus and minus this value, the default of Keras."""


class Classifier(nn.Module):
    """Score a text; the sigmoid of the score is the probability of the positive class.

    With `pooling="last"` and without dropout it is the network of most tutorials: an embedding, an LSTM, and
    a dense layer on its last output. With `pooling="mean"` the dense layer is applied to the mean and the
    maximum of all outputs. The kinds of dropout are those of `audioseq.language.model`.

    Args:
        vocabulary: number of tokens V.
        embedding_size: features E of a token.
        hidden_size: features H of one direction.
        bidirectional: use a second LSTM that reads the text backwards.
        pooling: `last`, the last output of each direction, or `mean`, mean and maximum of all outputs.
        dropout: probability of zeroing a feature of all embeddings of a text, and of the pooled outputs.
        embedding_dropout: probability of zeroing all features of a token, at all its places in a batch.
        weight_drop: probability of zeroing a recurrent weight.
        piece: maximum number of tokens in a window of a text; see `pieces`.
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
        nn.init.uniform_(self.embedding.weight, -MAX_INITIAL_WEIGHT, MAX_INITIAL_WEIGHT)
        self.locked = LockedDropout(dropout)
        self.recurrent = Recurrent(
            "lstm", embedding_size, hidden_size, bidirectional=bidirectional, weight_drop=weight_drop
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.recurrent.output_size * (1 if pooling == "last" else 2), 1)

    def pieces(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """Split the tokens of a text `[T]` into the smallest number of windows, of similar length."""
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
        """Pool outputs `[B, T, H]` to `[B, H]` or `[B, 2 H]`."""
        if self.pooling == "last":
            last = y[torch.arange(len(y)), lengths - 1]
            if self.recurrent.backward_layer is None:
                return last
            return torch.cat([last.chunk(2, dim=1)[0], y[:, 0].chunk(2, dim=1)[1]], dim=1)
        valid = length_mask(lengths, y.shape[1]).unsqueeze(2)
        maximum = y.masked_fill(~valid, -torch.inf).amax(1)
        return torch.cat([y.sum(1) / lengths.unsqueeze(1), maximum], dim=1)
