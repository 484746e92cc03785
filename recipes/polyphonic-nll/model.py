"""The networks: an LSTM over the frames, with heads that have the exact probability of a frame."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Literal

import torch
from rolls import channel_count
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, pad
from voices import CLASSES, HALF_LIVES, OTHER_CLASS, PITCHES, VOICES, cell_vocabularies, frame_vocabularies

from audioseq.nn import RecurrentStack, TiedKeyHead, length_mask

LOG_ODDS = math.log(4 / 51)
"""Initial log odds of a key: about 4 of 55 keys sound."""


class IndependentHead(nn.Module):
    """Scores of the keys of a frame, independent of each other given the features of the LSTM.

    Args:
        input_size: features F of a frame.
        keys: number of keys K.
    """

    def __init__(self, input_size: int, keys: int) -> None:
        super().__init__()
        self.own = nn.Linear(input_size, keys)

    def forward(self, features: Tensor, history: Tensor, frames: Tensor) -> Tensor:
        """Map features `[N, F]` to log odds `[N, K]`; the arguments are those of `TiedKeyHead.forward`."""
        y: Tensor = self.own(features)
        return y


class RollModel(nn.Module):
    """Negative log-likelihood of the frames of piano rolls, each given the frames before it.

    Args:
        keys: number of keys K.
        head: `tied`, see `TiedKeyHead`, or `independent`.
        hidden_size: of the LSTM.
        lags: frames to look back, see `rolls.Roll`.
        key_size, window, below, key_dropout: of the tied head.
        dropout: probability of zeroing an output of the LSTM.
        input_dropout: probability of hiding a key from the LSTM.
        weight_drop: probability of zeroing a recurrent weight.
    Example:
        >>> model = RollModel(12, "tied", 8, lags=(1, 2), key_size=4, window=3, below=5)
        >>> frames = torch.zeros(2, 7, 12)
        >>> model(torch.zeros(2, 7, 6, 12), frames, torch.zeros(2, 7), torch.tensor([7, 3])).shape
        torch.Size([10])
    """

    def __init__(
        self,
        keys: int,
        head: Literal["tied", "independent"],
        hidden_size: int = 200,
        *,
        lags: tuple[int, ...] = (1,),
        key_size: int = 64,
        window: int = 24,
        below: int = 48,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        key_dropout: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_dropout = nn.Dropout(input_dropout)
        self.recurrent = RecurrentStack(
            "lstm", keys + 1, hidden_size, 1, dropout=dropout, weight_drop=weight_drop
        )
        self.head: IndependentHead | TiedKeyHead = (
            IndependentHead(hidden_size, keys)
            if head == "independent"
            else TiedKeyHead(
                hidden_size, keys, channel_count(lags), key_size, window, below, dropout=key_dropout
            )
        )
        nn.init.constant_(self.head.own.bias, LOG_ODDS)

    def features(self, previous: Tensor, lengths: Tensor) -> Tensor:
        """Run the LSTM over the frame before each frame, `[B, T, K]`; return features `[B, T, F]`."""
        x: Tensor = pad(self.input_dropout(previous), (0, 1), value=1.0)
        y: Tensor = self.recurrent(x, lengths)[0]
        return y

    def forward(self, history: Tensor, frames: Tensor, outside: Tensor, lengths: Tensor) -> Tensor:
        """Compute the negative log-likelihood of each frame.

        Args:
            history: `[B, T, C, K]`; the first channel is the frame before.
            frames: whether each key sounds, `[B, T, K]`.
            outside: negative log-likelihood of the other keys, in nats `[B, T]`.
            lengths: valid frames of each piece `[B]`.
        Returns:
            nats of the valid frames `[N]`.
        """
        valid = length_mask(lengths, frames.shape[1])
        features = self.features(history[:, :, 0], lengths)[valid]
        scores = self.head(features, history[valid], frames[valid])
        nats: Tensor = binary_cross_entropy_with_logits(scores, frames[valid], reduction="none").sum(1)
        return nats + outside[valid]


class TokenSum(nn.Module):
    """The sum of the embeddings of several tokens, each of its own vocabulary.

    Args:
        vocabularies: their sizes.
        size: features of the sum.
        dropout: probability of leaving a token out.
    """

    first: Tensor
    """First row of the table of embeddings of each vocabulary, int64 `[J]`."""

    def __init__(self, vocabularies: list[int], size: int, dropout: float) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(sum(vocabularies), size, mode="sum")
        nn.init.normal_(self.bag.weight, std=len(vocabularies) ** -0.5)
        first = torch.tensor([0, *accumulate(vocabularies)][:-1])
        self.register_buffer("first", first, persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens `[N, J]` to `[N, F]`."""
        weights = self.dropout(torch.ones_like(tokens, dtype=self.bag.weight.dtype))
        y: Tensor = self.bag(tokens + self.first, per_sample_weights=weights)
        return y


class VoiceModel(nn.Module):
    """Negative log-likelihood of pieces in four voices, one voice after the other.

    Everything is read as an interval to the last pitch of the voice that is predicted, so the weights are
    shared between pitches.

    Args:
        hidden_size: of the LSTM over the sixteenths.
        lags: sixteenths to look back, see `voices.Voices`.
        cell_size: features of a cell.
        dropout: probability of zeroing a feature of the LSTM or of a cell.
        token_dropout: probability of leaving a token out.
    """

    def __init__(
        self,
        hidden_size: int = 128,
        *,
        lags: tuple[int, ...] = (1,),
        cell_size: int = 128,
        dropout: float = 0.0,
        token_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.frame = TokenSum(frame_vocabularies(), hidden_size, token_dropout)
        self.recurrent = RecurrentStack("lstm", hidden_size, hidden_size, 1, dropout=dropout)
        self.cells = nn.ModuleList(
            TokenSum(cell_vocabularies(lags), cell_size, token_dropout) for _ in range(VOICES)
        )
        self.features = nn.Linear(hidden_size, VOICES * cell_size)
        self.histogram = nn.Linear(12 * len(HALF_LIVES), cell_size, bias=False)
        self.hidden = nn.Linear(cell_size, cell_size)
        self.outputs = nn.ModuleList(nn.Linear(cell_size, CLASSES) for _ in range(VOICES))
        self.dropout = nn.Dropout(dropout)

    def scores(self, frames: Tensor, cells: Tensor, histograms: Tensor, lengths: Tensor) -> Tensor:
        """Compute the log-probabilities of the classes of each valid cell, `[N, 4, CLASSES]`.

        Args:
            frames: tokens of the sixteenth before each `[B, T, I]`.
            cells: tokens of each cell `[B, T, 4, J]`.
            histograms: `[B, T, 4, G]`.
            lengths: valid sixteenths of each piece `[B]`.
        """
        valid = length_mask(lengths, frames.shape[1])
        x = self.frame(frames.flatten(0, 1)).view(*frames.shape[:2], -1)
        y = self.features(self.recurrent(x, lengths)[0][valid])
        read = torch.stack([bag(cells[valid][:, voice]) for voice, bag in enumerate(self.cells)], dim=1)
        x = (read + y.view(read.shape) + self.histogram(histograms[valid])).relu()
        x = self.dropout(x + self.hidden(self.dropout(x)).relu())
        return torch.stack(
            [output(x[:, voice]) for voice, output in enumerate(self.outputs)], dim=1
        ).log_softmax(2)

    def forward(
        self, frames: Tensor, cells: Tensor, histograms: Tensor, classes: Tensor, lengths: Tensor
    ) -> Tensor:
        """Return the nats of the valid sixteenths `[N]`; the classes of their cells are `[B, T, 4]`."""
        own = classes[length_mask(lengths, frames.shape[1])]
        scores = self.scores(frames, cells, histograms, lengths)
        nats = cross_entropy(scores.flatten(0, 1), own.flatten(), reduction="none")
        nats = nats + (own.flatten() == OTHER_CLASS) * math.log(PITCHES)
        return nats.view(own.shape).sum(1)
