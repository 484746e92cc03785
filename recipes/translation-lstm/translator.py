"""The network: an encoder-decoder of LSTMs with attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audioseq.nn import LockedDropout, Recurrent, State, length_mask


class EncoderOutput(NamedTuple):
    """Encoded source sentences."""

    features: Tensor
    """Features `[B, T, M]`."""
    valid: Tensor
    """True for tokens, false for padding, bool `[B, T]`."""


class Attention(nn.Module):
    """Attention over the encoder output with the "general" score of Luong.

    The weights of a query are the softmax of its bilinear scores with the features of the source. Source:
    Luong et al. 2015, "Effective approaches to attention-based neural machine translation".

    Args:
        size: features H of a query and of the output.
        source_size: features M of a source token.
    """

    def __init__(self, size: int, source_size: int) -> None:
        super().__init__()
        self.question = nn.Linear(size, source_size, bias=False)
        self.join = nn.Linear(size + source_size, size)

    def forward(self, query: Tensor, source: EncoderOutput) -> tuple[Tensor, Tensor]:
        """Return outputs `[B, U, H]` and attention weights `[B, U, T]` of queries `[B, U, H]`."""
        scores = self.question(query) @ source.features.mT
        weights = scores.float().masked_fill(~source.valid.unsqueeze(1), -torch.inf).softmax(dim=2)
        context = weights.to(source.features.dtype) @ source.features
        return torch.tanh(self.join(torch.cat([query, context], dim=2))), weights


class Translator(nn.Module):
    """A bidirectional LSTM encodes the source; LSTMs with attention decode the target.

    The context vector of a layer goes to the layer above and not into its own next step: all steps of a known
    target are computed at once, and the layer above still receives the earlier contexts (as in GNMT, Wu et
    al. 2016). Each layer has a residual connection (He et al. 2016); without it, the upper layer hardly
    learns. Both languages and the output layer share one embedding (Press & Wolf 2017).

    Args:
        vocabulary: number of tokens V.
        size: features H of a token and of each LSTM; of the encoder in each direction.
        layers: number of decoder layers.
        dropout: probability of zeroing a feature for a whole sentence.
        word_dropout: probability of zeroing all features of an input token.
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
        """Score the token after each target token.

        Args:
            source: ids `[B, T]`.
            lengths: valid tokens of each source `[B]`.
            target: ids `[B, U]`, starting with the begin token.
        Returns:
            unnormalised log probabilities `[B, U, V]`.
        """
        scores, _, _ = self.decode(target, *self.encode(source, lengths))
        return scores

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[EncoderOutput, list[State]]:
        """Encode sentences `[B, T]`; return the encoder output and the initial states of the decoder."""
        features, _ = self.reader(self._embed(source), lengths)
        features = self.dropout(features)
        mean = features.sum(1) / lengths.unsqueeze(1)
        starts = torch.tanh(self.starts(mean)).chunk(len(self.writers), dim=1)
        states: list[State] = [(h, torch.zeros_like(h)) for h in starts]
        return EncoderOutput(features, length_mask(lengths, source.shape[1])), states

    def decode(
        self, target: Tensor, source: EncoderOutput, states: Sequence[State]
    ) -> tuple[Tensor, list[State], list[Tensor]]:
        """Score the token after each target token `[B, U]`; all at once or in several calls.

        Returns:
            unnormalised log probabilities `[B, U, V]`, the states after the last token, and the attention
            weights of each layer `[B, U, T]`.
        """
        x, new_states, weights = self._embed(target), [], []
        for writer, attention, state in zip(self.writers, self.attentions, states, strict=True):
            y, last = writer(x, None, state)
            output, layer_weights = attention(y, source)
            x = x + self.dropout(output)
            new_states.append(last)
            weights.append(layer_weights)
        scores: Tensor = self.head(self.dropout(self.projection(x)))
        return scores, new_states, weights

    def _embed(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.embedding(tokens)
        if self.training and self.word_dropout:
            x = x * nn.functional.dropout(x.new_ones(*tokens.shape, 1), self.word_dropout)
        embedded: Tensor = self.dropout(x)
        return embedded
