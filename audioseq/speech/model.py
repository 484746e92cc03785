"""The acoustic model: log-mel frames in, CTC log-probabilities of tokens out."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audioseq.audio import SAMPLE_RATE
from audioseq.audio.features import LogMel
from audioseq.nn import CellName, FrameHead, RecurrentStack, Subsample
from audioseq.nn.masking import Padding
from audioseq.speech.config import SpeechConfig
from audioseq.speech.pronunciation import UNITS
from audioseq.text.tokenizer import Tokenizer

LATER = 2
"""Frames of log-mel: half a step of the lower layers."""
SOFTENED = 2.0
"""The temperature at which a speller reads the probabilities of phones."""


class Emissions(NamedTuple):
    """Log-probabilities of the tokens at each output frame."""

    log_probs: Tensor
    """`[B, T', V]`, float32."""
    lengths: Tensor
    """Valid output frames `[B]`, int64."""
    intermediate: tuple[Tensor, ...]
    """Of characters or phones, from the lower layers and, before a speller, from the upper ones."""
    intermediate_lengths: Tensor


class AcousticModel(nn.Module):
    """Strided convolutions, two recurrent stacks, perhaps a speller, and CTC heads on all of them.

    Two strided convolutions leave a fourth of the frames, 40 ms apart, to the lower stack; the upper one runs
    on groups of `join` neighbouring ones, so it costs `1 / join` of the time. A head that is `fine` emits
    `join` output frames for each of its steps: the resolution that spelling needs is kept. The head on the
    lower stack is there for training only (intermediate CTC: Lee & Watanabe 2021, arXiv:2102.03216).

    With a speller the upper stack emits phones, and the speller reads nothing but these and writes tokens. So
    the lower layers learn sounds, of which hours of speech hold enough, and the speller learns spellings, for
    which no recordings are needed (`spell`).

    Args:
        vocabulary: number of tokens V, the blank included.
        units: number of characters (with a speller: phones) of the other heads, the blank included.
        n_mels: mel bands F of the input.
        hop_length: samples from one frame of the input to the next, at 16 kHz.
        channels: outputs of the strided convolutions; each halves the frame rate.
        lower_layers, lower_size: layers of the lower stack, and its hidden size in each direction.
        upper_layers, upper_size: the same for the upper stack.
        speller_layers, speller_size: the same for the speller; there is none of 0 layers.
        join: frames of the lower stack to one step of the others.
        fine: whether the output has the frames of the lower stack, else those of the upper one.
        bidirectional: whether the layers read the recording in both directions.
        dropout: probability of zeroing an output of a layer while training.
    Example:
        >>> model = AcousticModel(29, 29, lower_size=8, upper_size=8, channels=(4, 8))
        >>> out = model(torch.zeros(2, 100, 80), torch.tensor([100, 51]))
        >>> out.log_probs.shape, out.lengths.tolist()
        (torch.Size([2, 26, 29]), [25, 13])
    """

    def __init__(
        self,
        vocabulary: int,
        units: int,
        *,
        cell: CellName = "lstm",
        n_mels: int = 80,
        hop_length: int = 160,
        channels: tuple[int, ...] = (192, 256),
        lower_layers: int = 2,
        lower_size: int = 256,
        upper_layers: int = 2,
        upper_size: int = 320,
        speller_layers: int = 0,
        speller_size: int = 288,
        join: int = 2,
        fine: bool = True,
        bidirectional: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.join, self.fine = join, fine
        self.log_mel = LogMel(n_mels=n_mels, hop_length=hop_length)
        self.subsample = Subsample(n_mels, channels)

        def stack(inputs: int, size: int, layers: int) -> RecurrentStack:
            return RecurrentStack(
                cell, inputs, size, layers,
                bidirectional=bidirectional, dropout=dropout, layer_norm=True, residual=True,
            )  # fmt: skip

        self.lower = stack(channels[-1], lower_size, lower_layers)
        self.upper = stack(self.lower.output_size * join, upper_size, upper_layers)
        self.intermediate_head = FrameHead(self.lower.output_size, units)
        self.speller = self.phone_head = None
        top = self.upper
        if speller_layers:
            self.phone_head = FrameHead(self.upper.output_size, units, frames=join)
            self.speller = top = stack(units * join, speller_size, speller_layers)
        self.head = FrameHead(top.output_size, vocabulary, frames=join if fine else 1)

    @property
    def frame_seconds(self) -> float:
        """Seconds from one output frame to the next."""
        frames = self.subsample.factor * (1 if self.fine else self.join)
        return self.log_mel.hop_length * frames / SAMPLE_RATE

    def forward(self, features: Tensor, lengths: Tensor) -> Emissions:
        """Turn normalised log-mel frames `[B, T, F]` of `lengths` `[B]` into emissions."""
        x, joined, intermediate, lengths = self._hear(features, lengths)
        if self.speller is not None:
            log_probs, ends = self.spell(intermediate[-1], lengths)
        else:
            log_probs, ends = self._write(x, lengths, joined)
        return Emissions(log_probs, ends, intermediate, lengths)

    def _hear(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor]:
        """Return what the upper layers make of frames, its lengths, what the heads emit, and its lengths."""
        x, lengths = self.subsample(x, lengths)
        x, _ = self.lower(x, lengths)
        intermediate = [_log_softmax(self.intermediate_head(x))]
        x, joined = self._join(x, lengths)
        x, _ = self.upper(x, joined)
        if self.phone_head is not None:
            intermediate.append(_log_softmax(self.phone_head(x)))
        return x, joined, tuple(intermediate), lengths

    def spell(self, phones: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn log-probabilities of phones into those of tokens, with the speller.

        Args:
            phones: `[B, T, U]`, at the frames of the lower stack: what was heard, or what a text would sound
                like.
            lengths: valid frames `[B]`.
        Returns:
            `[B, T', V]`, and the valid frames of it `[B]`.
        """
        assert self.speller is not None
        # Softened, second choices are seen too: those of 1 % become 10 % of the first.
        x = Padding(lengths, phones.shape[1]).clear((phones / SOFTENED).softmax(-1))
        x, joined = self._join(x, lengths)
        x, _ = self.speller(x, joined)
        return self._write(x, lengths, joined)

    def _write(self, x: Tensor, lengths: Tensor, joined: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of tokens that the top layers give, and their valid frames."""
        return _log_softmax(self.head(x)), lengths if self.fine else joined

    def _join(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Join each `join` neighbouring frames of `[B, T, F]` to one."""
        x = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % self.join))
        x = x.reshape(x.shape[0], x.shape[1] // self.join, x.shape[2] * self.join)
        return x, (lengths + self.join - 1) // self.join

    @torch.no_grad()
    def compute_emissions(self, waveforms: Tensor, lengths: Tensor) -> Emissions:
        """Do the same from waveforms `[B, N]` at 16 kHz of `lengths` `[B]` samples, without gradients.

        A model with a speller hears everything twice, the second time `LATER`, and spells the mean of both:
        some of its mistakes depend on where the steps of its layers fall.

        Frames are padded to whole seconds, so that in hours of audio there are few shapes: for each of up to
        a thousand, oneDNN keeps what it has compiled. The padding changes no valid frame.
        """
        features, frames = self.log_mel(waveforms, lengths)
        spare = 0 if self.speller is None else LATER
        rest = -(features.shape[1] + spare) % (SAMPLE_RATE // self.log_mel.hop_length)
        features = nn.functional.pad(features, (0, 0, 0, spare + rest))
        if self.speller is None:
            return self.forward(features, frames)
        both = torch.cat([features, features.roll(LATER, dims=1)])
        _, _, heard, ends = self._hear(both, torch.cat([frames, frames + LATER]))
        halves = [head.chunk(2) for head in heard]
        intermediate = tuple(torch.logaddexp(now, later) - math.log(2) for now, later in halves)
        ends = ends[: len(features)]
        log_probs, spelt = self.spell(intermediate[-1], ends)
        return Emissions(log_probs, spelt, intermediate, ends)


def _log_softmax(scores: Tensor) -> Tensor:
    """Take it in float32: CTC sums thousands of these, and bfloat16 keeps three digits."""
    return scores.float().log_softmax(-1)


def ctc(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Return the CTC loss summed over the batch; a text that cannot fit into its frames counts nothing.

    Source: Graves et al. 2006, "Connectionist temporal classification".

    Args:
        log_probs: `[B, T', V]`, blank 0.
        lengths: valid frames `[B]`.
        targets: token ids `[B, U]`.
        target_lengths: valid tokens `[B]`.
    """
    return nn.functional.ctc_loss(
        log_probs.transpose(0, 1), targets, lengths, target_lengths, reduction="sum", zero_infinity=True
    )


def build(config: SpeechConfig, tokenizer: Tokenizer) -> AcousticModel:
    """Make the model of a recipe; subwords need no finer frames than those of the upper layers."""
    units = UNITS if config.model.speller_layers else len(config.alphabet) + 1
    return AcousticModel(tokenizer.size, units, fine=not config.subwords, **config.model.model_dump())
