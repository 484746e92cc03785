"""Output heads: features of a recurrent stack to scores over a vocabulary, or of the keys of a chord."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

MAX_LOWER = 8
"""`TiedKeyHead` distinguishes up to this many sounding lower keys."""


class FrameHead(nn.Module):
    """Compute vocabulary scores for each frame, optionally several output frames per input frame.

    A recurrent stack is cheaper at a low frame rate; the head restores the time resolution that CTC needs.

    Args:
        input_size: features F of an input frame.
        vocabulary: number of tokens V.
        frames: output frames per input frame; lengths grow by this factor.
    Example:
        >>> import torch
        >>> FrameHead(8, 29, frames=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 10, 29])
    """

    def __init__(self, input_size: int, vocabulary: int, frames: int = 1) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.linear = nn.Linear(input_size, vocabulary * frames)

    def forward(self, x: Tensor) -> Tensor:
        """Map features `[B, T, F]` to unnormalised log-probabilities `[B, T * frames, V]`."""
        y: Tensor = self.linear(x)
        return y.reshape(len(x), -1, self.vocabulary)


class TiedKeyHead(nn.Module):
    """Compute the log odds of each key of a chord, given the history and the lower keys of the same chord.

    p(chord | history) is the product over the keys of p(key | lower keys, history), an exact joint
    probability, as in NADE (Larochelle & Murray 2011). The weights are shared between keys: a key reads the
    keys around it in earlier frames, and those below it in its own frame, by their distance (Johnson 2017).
    In training all keys are known, so all scores are computed at once.

    Args:
        input_size: features F of a frame.
        keys: number of keys K.
        channels: channels C of the history.
        hidden_size: features D of a key.
        window: semitones to either side that a key reads in each channel of the history.
        below: semitones below that a key reads in its own frame.
        dropout: probability of zeroing a feature of all keys of a frame.
    Example:
        >>> head = TiedKeyHead(8, 12, channels=2, hidden_size=4, window=3, below=5)
        >>> head(torch.zeros(7, 8), torch.zeros(7, 2, 12), torch.zeros(7, 12)).shape
        torch.Size([7, 12])
    """

    def __init__(
        self,
        input_size: int,
        keys: int,
        channels: int,
        hidden_size: int,
        window: int,
        below: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.below = below
        self.around = nn.Conv1d(channels, hidden_size, 2 * window + 1, padding=window)
        self.lower = nn.Conv1d(1, hidden_size, below, bias=False)
        self.count = nn.Conv1d(MAX_LOWER, hidden_size, 1, bias=False)
        self.shared = nn.Linear(input_size, hidden_size, bias=False)
        self.own = nn.Linear(input_size, keys)
        self.key = nn.Parameter(torch.zeros(hidden_size, keys))
        self.hidden = nn.Conv1d(hidden_size, hidden_size, 1)
        self.output = nn.Conv1d(hidden_size, 1, 1, bias=False)
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, features: Tensor, history: Tensor, frames: Tensor) -> Tensor:
        """Compute the scores of whole frames.

        Args:
            features: `[N, F]`.
            history: `[N, C, K]`.
            frames: whether each key sounds, `[N, K]`; the score of a key depends only on lower keys.
        Returns:
            log odds of each key `[N, K]`.
        """
        lower = self.lower(pad(frames[:, None, :-1], (self.below, 0)))
        thresholds = torch.arange(MAX_LOWER, device=frames.device).view(1, -1, 1)
        count = ((frames.cumsum(1) - frames)[:, None] > thresholds).to(frames.dtype)
        x = self.around(history) + lower + self.count(count) + self.key
        x = (x + self.shared(features)[:, :, None]).relu()
        x = x + self.hidden(self.dropout(x)).relu()
        y: Tensor = self.output(self.dropout(x)).squeeze(1) + self.own(features)
        return y
