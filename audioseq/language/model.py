"""The recurrent language model: from tokens to the scores of the next token."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

from audioseq.language.config import LanguageConfig
from audioseq.language.units import Units
from audioseq.nn import CellName, LockedDropout, RecurrentStack

State = tuple[Tensor, ...]
"""The recurrent state as a flat tuple: h of each layer, followed by its c in an LSTM; each `[B, H]`."""

EMBEDDING_INIT_RANGE = 0.1
"""Embeddings are initialised uniformly between minus and plus this value."""


class LanguageModel(nn.Module):
    """Embedding, recurrent stack and output head, which shares its weights with the embedding.

    A linear layer maps the output of the stack to the embedding size where the two differ. Dropout follows
    Merity et al. 2018, "Regularizing and optimizing LSTM language models"; weight tying follows Press & Wolf
    2017 and Inan et al. 2017.

    Args:
        vocabulary: number of tokens V.
        embedding_size: features E of a token.
        hidden_size: features H of each recurrent layer.
        num_layers: number of layers.
        cell: `lstm`, `gru`, `rnn_tanh` or `rnn_relu`.
        dropout: probability of zeroing a feature of the embeddings or of a layer for a whole window.
        embedding_dropout: probability of zeroing the embedding of a token in the whole batch.
        weight_drop: probability of zeroing a recurrent weight.
        tied: whether the head shares the weights of the embedding.
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
        self.has_cell_state = cell == "lstm"
        self.embedding_dropout = embedding_dropout
        self.embedding = nn.Embedding(vocabulary, embedding_size)
        nn.init.uniform_(self.embedding.weight, -EMBEDDING_INIT_RANGE, EMBEDDING_INIT_RANGE)
        self.dropout = LockedDropout(dropout)
        self.stack = RecurrentStack(
            cell, embedding_size, hidden_size, num_layers,
            dropout=dropout, locked=True, weight_drop=weight_drop,
        )  # fmt: skip
        same_size = hidden_size == embedding_size
        self.projection = nn.Identity() if same_size else nn.Linear(hidden_size, embedding_size)
        self.head = nn.Linear(embedding_size, vocabulary)
        nn.init.zeros_(self.head.bias)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, state: State = ()) -> tuple[Tensor, State]:
        """Score the next token at each position.

        Args:
            tokens: ids, int64 `[B, T]`.
            state: the state after the preceding tokens; empty at the start.
        Returns:
            unnormalised log probabilities `[B, T, V]`, and the state after all tokens.
        """
        weight = self.embedding.weight
        if self.training and self.embedding_dropout:
            weight = weight * nn.functional.dropout(weight.new_ones(len(weight), 1), self.embedding_dropout)
        x = self.dropout(nn.functional.embedding(tokens, weight))
        initial = tuple(zip(state[::2], state[1::2], strict=True)) if self.has_cell_state else state
        y, final = self.stack(x, state=initial or None)
        scores: Tensor = self.head(self.projection(y))
        return scores, tuple(chain.from_iterable(final)) if self.has_cell_state else final


def build(config: LanguageConfig, units: Units) -> LanguageModel:
    """Build the model of a recipe with random weights."""
    return LanguageModel(units.size, **config.model.model_dump())


def log_probs(scores: Tensor, targets: Tensor) -> Tensor:
    """Compute the natural log probability of each target `[…]` from unnormalised scores `[…, V]`, in fp32."""
    selected = scores.gather(-1, targets[..., None]).squeeze(-1)
    return selected.float() - torch.logsumexp(scores.float(), dim=-1)
