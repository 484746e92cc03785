"""The network: a sentence read in both directions, and another written while looking back at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audioseq.nn import LockedDropout, Recurrent, State, length_mask


class Source(NamedTuple):
    """Sentences that were read: what there is to look at."""

    memory: Tensor
    """Features `[B, T, M]`."""
    valid: Tensor
    """True on tokens, false on padding, bool `[B, T]`."""


class Attention(nn.Module):
    """Look at a sentence with a question, at each place as much as it answers: Luong's "general" score.

    Source: Luong et al. 2015, "Effective approaches to attention-based neural machine translation".

    Args:
        size: features H of a question, and of what is made of it and the answer.
        memory_size: features M of each place.
    """

    def __init__(self, size: int, memory_size: int) -> None:
        super().__init__()
        self.question = nn.Linear(size, memory_size, bias=False)
        self.join = nn.Linear(size + memory_size, size)

    def forward(self, query: Tensor, source: Source) -> tuple[Tensor, Tensor]:
        """Return questions with what was found `[B, U, H]`, and where it was, a distribution `[B, U, T]`."""
        scores = self.question(query) @ source.memory.mT
        weights = scores.float().masked_fill(~source.valid.unsqueeze(1), -torch.inf).softmax(dim=2)
        found = weights.to(source.memory.dtype) @ source.memory
        return torch.tanh(self.join(torch.cat([query, found], dim=2))), weights


class Translator(nn.Module):
    """A bidirectional LSTM reads the source; LSTMs write the target, each followed by attention to it.

    What a layer found goes to the layer above, not into the next step: so all steps of a known target are
    computed at once, and the layer above still knows where was looked before (as in GNMT, Wu et al. 2016).
    Each layer adds to what it was given (He et al. 2016); without that, the upper one hardly learns. Both
    languages and the output share one embedding (Press & Wolf 2017).

    Args:
        vocabulary: number of tokens V.
        size: features H of a token and of each LSTM, of the reading one in each direction.
        layers: how many write.
        dropout: probability of zeroing a feature for a whole sentence.
        word_dropout: probability of zeroing all features of a token that is read.
    Example:
        >>> translator = Translator(10, size=4, layers=2)
        >>> tokens = torch.ones(3, 5, dtype=torch.int64)
        >>> translator(tokens, torch.tensor([5, 2, 1]), tokens[:, :4]).shape
        torch.Size([3, 4, 10])
    """

    def __init__(
        self, vocabulary: int, size: int, layers: int, *, dropout: float = 0.0, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.word_dropout = word_dropout
        self.embedding = nn.Embedding(vocabulary, size)
        nn.init.normal_(self.embedding.weight, std=size**-0.5)
        self.dropout = LockedDropout(dropout)
        self.reader = Recurrent("lstm", size, size, bidirectional=True)
        self.starts = nn.Linear(2 * size, layers * size)
        self.writers = nn.ModuleList(Recurrent("lstm", size, size) for _ in range(layers))
        self.attentions = nn.ModuleList(Attention(size, 2 * size) for _ in range(layers))
        self.projection = nn.Linear(size, size)
        self.head = nn.Linear(size, vocabulary)
        nn.init.zeros_(self.head.bias)
        self.head.weight = self.embedding.weight

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        """Score the token after each of a target.

        Args:
            source: ids `[B, T]`, of which `lengths` `[B]` are valid.
            target: ids `[B, U]`, the begin of a sentence first.
        Returns:
            unnormalised log probabilities `[B, U, V]`.
        """
        scores, _, _ = self.write(target, *self.read(source, lengths))
        return scores

    def read(self, source: Tensor, lengths: Tensor) -> tuple[Source, list[State]]:
        """Return sentences `[B, T]` as there is to look at, and the states that writing begins with."""
        memory, _ = self.reader(self._embed(source), lengths)
        memory = self.dropout(memory)
        mean = memory.sum(1) / lengths.unsqueeze(1)
        starts = torch.tanh(self.starts(mean)).chunk(len(self.writers), dim=1)
        states: list[State] = [(h, torch.zeros_like(h)) for h in starts]
        return Source(memory, length_mask(lengths, source.shape[1])), states

    def write(
        self, target: Tensor, source: Source, states: Sequence[State]
    ) -> tuple[Tensor, list[State], list[Tensor]]:
        """Score the token after each of those given `[B, U]`; the same at once or in steps.

        Returns:
            unnormalised log probabilities `[B, U, V]`; the states to go on from; and where each layer looked
            at each step `[B, U, T]`.
        """
        x, after, looked = self._embed(target), [], []
        for writer, attention, state in zip(self.writers, self.attentions, states, strict=True):
            y, last = writer(x, None, state)
            found, weights = attention(y, source)
            x = x + self.dropout(found)
            after.append(last)
            looked.append(weights)
        scores: Tensor = self.head(self.dropout(self.projection(x)))
        return scores, after, looked

    def _embed(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.embedding(tokens)
        if self.training and self.word_dropout:
            x = x * nn.functional.dropout(x.new_ones(*tokens.shape, 1), self.word_dropout)
        embedded: Tensor = self.dropout(x)
        return embedded
