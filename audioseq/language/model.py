"""The language model: tokens in, scores of the next token out, and what is remembered in between."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

from audioseq.language.config import LanguageConfig
from audioseq.language.units import Units
from audioseq.nn import CellName, LockedDropout, RecurrentStack

State = tuple[Tensor, ...]
"""What the model remembers, flat: of each layer h, and of an LSTM then c; each `[B, H]`."""

SPREAD = 0.1
"""Embeddings start uniform between minus and plus this."""


class LanguageModel(nn.Module):
    """Embedding, recurrent stack, and a head that scores each token by its embedding.

    Where the stack is of another size than the embedding, a linear map leads back. The ways of dropping are
    those of Merity et al. 2018, "Regularizing and optimizing LSTM language models"; that input and output
    share their embeddings is from Press & Wolf 2017 and Inan et al. 2017.

    Args:
        vocabulary: number of tokens V.
        embedding_size: features E of a token.
        hidden_size: features H of each recurrent layer.
        num_layers: number of layers.
        cell: `lstm`, `gru`, `rnn_tanh` or `rnn_relu`.
        dropout: probability of zeroing a feature for a whole window, of the embeddings and of each layer.
        embedding_dropout: probability of zeroing all features of a token wherever it stands in a batch.
        weight_drop: probability of zeroing a recurrent weight.
        tied: whether the head has the weights of the embedding.
    Example:
        >>> model = LanguageModel(10, embedding_size=4, hidden_size=6, num_layers=2)
        >>> scores, state = model(torch.zeros(3, 5, dtype=torch.int64))
        >>> scores.shape, len(state), state[0].shape
        (torch.Size([3, 5, 10]), 4, torch.Size([3, 6]))
    """

    def __init__(
        self,
        vocabulary: int,
        embedding_size: int = 256,
        hidden_size: int = 416,
        num_layers: int = 2,
        *,
        cell: CellName = "lstm",
        dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        weight_drop: float = 0.0,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.pairs = cell == "lstm"
        self.embedding_dropout = embedding_dropout
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        nn.init.uniform_(self.embedding.weight, -SPREAD, SPREAD)
        self.dropout = LockedDropout(dropout)
        self.stack = RecurrentStack(
            cell,
            embedding_size,
            hidden_size,
            num_layers,
            dropout=dropout,
            locked=True,
            weight_drop=weight_drop,
        )
        same = hidden_size == embedding_size
        self.projection = nn.Identity() if same else nn.Linear(hidden_size, embedding_size)
        self.head = nn.Linear(embedding_size, vocabulary)
        nn.init.zeros_(self.head.bias)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """Score the token that follows each one.

        Args:
            tokens: ids, int64 `[B, T]`.
            state: what was remembered of the tokens before; nothing where it is empty.
        Returns:
            unnormalised log probabilities `[B, T, V]`, and what is remembered of all tokens.
        """
        weight = self.embedding.weight
        if self.training and self.embedding_dropout:
            weight = weight * nn.functional.dropout(weight.new_ones(len(weight), 1), self.embedding_dropout)
        x = self.dropout(nn.functional.embedding(tokens, weight))
        before = tuple(zip(state[::2], state[1::2], strict=True)) if self.pairs else state
        y, after = self.stack(x, state=before or None)
        scores: Tensor = self.head(self.projection(y))
        return scores, tuple(chain.from_iterable(after)) if self.pairs else after


def build(config: LanguageConfig, units: Units) -> LanguageModel:
    """Make the model of a recipe for its units."""
    return LanguageModel(units.size, **config.model.model_dump())


def log_probs(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the natural log probability of each target `[…]` under unnormalised scores `[…, V]`, in fp32."""
    chosen = scores.gather(-1, targets[..., None]).squeeze(-1)
    return chosen.float() - torch.logsumexp(scores.float(), dim=-1)
