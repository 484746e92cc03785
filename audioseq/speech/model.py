"""The acoustic model: log-mel frames to CTC log-probabilities of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audioseq.audio import SAMPLE_RATE
from audioseq.audio.features import LogMel
from audioseq.checkpoint import Checkpoint
from audioseq.data import pad
from audioseq.device import choose_device
from audioseq.models import open_model
from audioseq.nn import CellName, FrameHead, RecurrentStack, States, Subsample
from audioseq.nn.masking import Padding
from audioseq.speech.config import PHONE_TEMPERATURE, SECOND_PASS_SHIFT_FRAMES, SpeechConfig
from audioseq.speech.pronunciation import NUM_PHONE_UNITS
from audioseq.speech.windows import Framing, Window, WindowModel
from audioseq.text.subwords import restore_tokenizer
from audioseq.text.tokenizer import Tokenizer

StackStates = tuple[States | None, States | None, States | None]
"""States of the lower stack, of the upper stack, and of the p2g decoder if the model has one."""


class Emissions(NamedTuple):
    """Log-probabilities of the tokens for each output frame."""

    log_probs: Tensor
    """`[B, T', V]`, float32."""
    lengths: Tensor
    """Valid output frames `[B]`, int64."""
    intermediate: tuple[Tensor, ...]
    """Log-probabilities `[B, T, U]` of the intermediate heads: characters after the lower stack or, with a
    phone-to-grapheme decoder, phones after the lower and after the upper stack."""
    intermediate_lengths: Tensor
    """Valid frames of `intermediate` `[B]`, int64."""


class AcousticModel(nn.Module):
    """Strided convolutions, two recurrent stacks, an optional phone-to-grapheme decoder, and CTC heads.

    Two strided convolutions reduce the frame rate to a fourth (one frame per 40 ms) for the lower stack. The
    upper stack reads `frame_stacking` neighbouring frames as one step, which divides its cost by
    `frame_stacking`. A head that is `fine` emits `frame_stacking` output frames per step, which restores the
    resolution that characters need. The head of the lower stack is used in training only (intermediate CTC:
    Lee & Watanabe 2021, arXiv:2102.03216).

    With a phone-to-grapheme (p2g) decoder, the upper stack emits phones. The decoder reads only their
    probabilities and emits tokens. The lower stacks then learn sounds, for which hours of speech are enough,
    and the decoder learns spelling, which needs no recordings (`decode_phones`).

    Args:
        vocabulary: number of tokens V, including the blank.
        units: number of units U of the intermediate heads, including the blank: characters, or phones with a
            p2g decoder.
        cell: recurrent cell of all stacks.
        n_mels: mel bands F of the input.
        hop_length: samples between input frames, at 16 kHz.
        channels: output channels of the strided convolutions; each one halves the frame rate.
        lower_layers, lower_size: layers and hidden size per direction of the lower stack.
        upper_layers, upper_size: layers and hidden size per direction of the upper stack.
        p2g_layers, p2g_size: layers and hidden size per direction of the p2g decoder; 0 layers: no decoder.
        frame_stacking: frames of the lower stack per step of the upper stack and the p2g decoder.
        fine: whether the output has the frame rate of the lower stack instead of the upper stack's.
        bidirectional: whether the layers read the recording in both directions.
        dropout: probability of zeroing an output of a layer during training.
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
        p2g_layers: int = 0,
        p2g_size: int = 288,
        frame_stacking: int = 2,
        fine: bool = True,
        bidirectional: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.frame_stacking, self.fine = frame_stacking, fine
        self.log_mel = LogMel(n_mels=n_mels, hop_length=hop_length)
        self.subsample = Subsample(n_mels, channels)

        def stack(inputs: int, size: int, layers: int) -> RecurrentStack:
            return RecurrentStack(
                cell, inputs, size, layers,
                bidirectional=bidirectional, dropout=dropout, layer_norm=True, residual=True,
            )  # fmt: skip

        self.lower = stack(channels[-1], lower_size, lower_layers)
        self.upper = stack(self.lower.output_size * frame_stacking, upper_size, upper_layers)
        self.intermediate_head = FrameHead(self.lower.output_size, units)
        self.p2g_decoder = self.phone_head = None
        top = self.upper
        if p2g_layers:
            self.phone_head = FrameHead(self.upper.output_size, units, frames=frame_stacking)
            self.p2g_decoder = top = stack(units * frame_stacking, p2g_size, p2g_layers)
        self.head = FrameHead(top.output_size, vocabulary, frames=frame_stacking if fine else 1)

    @property
    def frame_seconds(self) -> float:
        """Seconds between output frames."""
        frames = self.subsample.factor * (1 if self.fine else self.frame_stacking)
        return self.log_mel.hop_length * frames / SAMPLE_RATE

    def forward(self, features: Tensor, lengths: Tensor) -> Emissions:
        """Compute the emissions of normalised log-mel frames `[B, T, F]` of `lengths` `[B]`."""
        x, stacked_lengths, intermediate, lengths = self._encode(features, lengths)
        if self.p2g_decoder is not None:
            log_probs, output_lengths = self.decode_phones(intermediate[-1], lengths)
        else:
            log_probs, output_lengths = self._emit_tokens(x, lengths, stacked_lengths)
        return Emissions(log_probs, output_lengths, intermediate, lengths)

    def forward_window(
        self, x: Tensor, steps: int, states: StackStates | None = None
    ) -> tuple[Tensor, StackStates]:
        """Compute the emissions of the first steps of a window of a stream, see `Recurrent.window`.

        Args:
            x: output of `subsample` for the frames of the window, without padding `[B, W, F]`.
            steps: steps of the upper stack that are not lookahead; the next window starts after them.
            states: states that the window before returned; None for the first window.
        Returns:
            log-probabilities of these steps `[B, T', V]`, and the states of the stacks after them.
        """
        frames = x.shape[1]
        lower, upper, p2g = states or (None, None, None)
        x, lower = self.lower.window(x, min(steps * self.frame_stacking, frames), lower)
        x, upper = self.upper.window(self._stack_frames(x), steps, upper)
        if self.p2g_decoder is not None and self.phone_head is not None:
            phones = _log_softmax(self.phone_head(x))[:, :frames]
            x = self._stack_frames((phones / PHONE_TEMPERATURE).softmax(-1))
            x, p2g = self.p2g_decoder.window(x, steps, p2g)
        log_probs = _log_softmax(self.head(x[:, :steps]))
        return log_probs[:, :frames], (lower, upper, p2g)

    def _encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...], Tensor]:
        """Return the upper stack's output and lengths, and the intermediate emissions and lengths."""
        x, lengths = self.subsample(x, lengths)
        x, _ = self.lower(x, lengths)
        intermediate = [_log_softmax(self.intermediate_head(x))]
        stacked_lengths = self._stacked(lengths)
        x, _ = self.upper(self._stack_frames(x), stacked_lengths)
        if self.phone_head is not None:
            intermediate.append(_log_softmax(self.phone_head(x)))
        return x, stacked_lengths, tuple(intermediate), lengths

    def decode_phones(self, phones: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Turn log-probabilities of phones into log-probabilities of tokens, with the p2g decoder.

        Args:
            phones: `[B, T, U]`, at the frame rate of the lower stack: emitted by the upper stack, or
                synthesised from a text.
            lengths: valid frames `[B]`.
        Returns:
            log-probabilities `[B, T', V]` and their valid frames `[B]`.
        """
        assert self.p2g_decoder is not None
        # The temperature makes second choices visible: one of 1 % gets 10 % of the first.
        x = Padding(lengths, phones.shape[1]).clear((phones / PHONE_TEMPERATURE).softmax(-1))
        stacked_lengths = self._stacked(lengths)
        x, _ = self.p2g_decoder(self._stack_frames(x), stacked_lengths)
        return self._emit_tokens(x, lengths, stacked_lengths)

    def _emit_tokens(self, x: Tensor, lengths: Tensor, stacked_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-probabilities of tokens for the top stack's output, and their valid frames."""
        return _log_softmax(self.head(x)), lengths if self.fine else stacked_lengths

    def _stack_frames(self, x: Tensor) -> Tensor:
        """Concatenate each group of `frame_stacking` neighbouring frames of `[B, T, F]`."""
        size = self.frame_stacking
        x = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % size))
        return x.reshape(x.shape[0], x.shape[1] // size, x.shape[2] * size)

    def _stacked(self, lengths: Tensor) -> Tensor:
        return (lengths + self.frame_stacking - 1) // self.frame_stacking

    @torch.no_grad()
    def compute_emissions(self, waveforms: Tensor, lengths: Tensor) -> Emissions:
        """Compute the emissions of 16 kHz waveforms `[B, N]` of `lengths` `[B]` samples, without gradients.

        A model with a p2g decoder runs twice, the second time delayed by `SECOND_PASS_SHIFT_FRAMES`, and
        decodes the mean of both phone probabilities: some errors depend on where the strides fall.

        Frames are padded to whole seconds, so that hours of audio have few shapes: oneDNN caches compiled
        kernels for up to a thousand shapes. The padding does not change any valid frame.
        """
        features, frames = self.log_mel(waveforms, lengths)
        shift = 0 if self.p2g_decoder is None else SECOND_PASS_SHIFT_FRAMES
        rest = -(features.shape[1] + shift) % (SAMPLE_RATE // self.log_mel.hop_length)
        features = nn.functional.pad(features, (0, 0, 0, shift + rest))
        if self.p2g_decoder is None:
            return self.forward(features, frames)
        both = torch.cat([features, features.roll(shift, dims=1)])  # both passes in one batch
        _, _, heads, lengths = self._encode(both, torch.cat([frames, frames + shift]))
        passes = [head.chunk(2) for head in heads]
        intermediate = tuple(torch.logaddexp(first, second) - math.log(2) for first, second in passes)
        lengths = lengths[: len(features)]
        log_probs, output_lengths = self.decode_phones(intermediate[-1], lengths)
        return Emissions(log_probs, output_lengths, intermediate, lengths)

    def compute(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the log-probabilities `[T, V]` of each waveform `[N]` at 16 kHz, see `EmissionModel`."""
        padded, lengths = pad([torch.from_numpy(waveform) for waveform in waveforms])
        device = self.log_mel.mean.device
        emissions = self.compute_emissions(padded.to(device), lengths.to(device))
        rows = emissions.log_probs.cpu().numpy()
        return [row[:length] for row, length in zip(rows, emissions.lengths.tolist(), strict=True)]

    @property
    def framing(self) -> Framing:
        """How the model divides time."""
        convolutions = len(self.subsample.convolutions)
        return Framing(self.log_mel.hop_length, self.log_mel.n_fft, convolutions, self.frame_stacking)

    @torch.no_grad()
    def compute_window(
        self, waveform: NDArray[np.float32], window: Window, states: Sequence[Any] | None
    ) -> tuple[NDArray[np.float32], Sequence[Any]]:
        """Compute the emissions of a window of a stream, see `WindowModel`."""
        samples = torch.as_tensor(waveform, device=self.log_mel.mean.device)
        first = window.skipped_features
        energies = self.log_mel.log_energies(samples)[first : first + window.features]
        features = (energies - self.log_mel.mean) / self.log_mel.std
        x, _ = self.subsample(features[None], torch.tensor([len(features)], device=samples.device))
        x = x[:, window.skipped_frames : window.skipped_frames + window.frames]
        log_probs, after = self.forward_window(x, window.steps, cast(StackStates | None, states))
        return log_probs[0].cpu().numpy(), after

    def window_model(self) -> WindowModel:
        """Return the model itself, which also computes streams, see `EmissionModel`."""
        return self

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name, see `EmissionModel`."""
        return {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}


def _log_softmax(scores: Tensor) -> Tensor:
    """Compute in float32: CTC sums thousands of values, and bfloat16 keeps only three digits."""
    return scores.float().log_softmax(-1)


def ctc(log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> Tensor:
    """Compute the CTC loss summed over the batch; a text that does not fit into its frames adds 0.

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


def load_acoustic_model(model: str | Path | None = None, device: str = "auto") -> AcousticModel:
    """Load the network of a speech model by its name or path, for computations in torch.

    Raises:
        CheckpointError: the model does not exist, or its file is damaged or of another task.
        ConfigError: the device does not exist.
    """
    return restore(*open_model(model, "speech", SpeechConfig), device)


def restore(config: SpeechConfig, stored: Checkpoint, device: str) -> AcousticModel:
    """Build the network of a model file that is in memory; errors as in `load_acoustic_model`."""
    tokenizer = restore_tokenizer(stored.header.tokenizer)
    network = stored.restore(lambda: build(config, tokenizer))
    return network.to(choose_device(device)).eval()


def build(config: SpeechConfig, tokenizer: Tokenizer) -> AcousticModel:
    """Build the model of a recipe; for subwords, the frame rate of the upper stack is enough."""
    units = NUM_PHONE_UNITS if config.model.p2g_layers else len(config.alphabet) + 1
    return AcousticModel(tokenizer.size, units, fine=not config.subwords, **config.model.model_dump())
