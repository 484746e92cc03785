"""Emissions of a stream: windows of frames with a limited lookahead."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.model import AcousticModel, StackStates
from audioseq.speech.streaming.options import Latency

EDGE_FRAMES = 2
"""Subsampled frames at the start of a slice of features that its missing past changes."""


class StreamingEncoder:
    """Computes the emissions of a stream with an offline model, window by window.

    Forward layers continue from the window before, backward layers read a limited lookahead
    (`Recurrent.window`), so a bidirectional model needs no other weights. The windows depend only on the
    position in the stream, not on the blocks in which it arrives. Features are computed once; convolutions
    repeat the frames of the lookahead.

    Args:
        model: the acoustic model.
        latency: the windows.
    Example:
        >>> model = AcousticModel(29, 29, lower_size=8, upper_size=8, channels=(4, 8)).eval()
        >>> encoder = StreamingEncoder(model, Latency(2, 2))
        >>> waveform = np.zeros(16_000, np.float32)
        >>> encoder.advance(waveform[:4_000]) is None  # the first window needs more
        True
        >>> encoder.advance(waveform).shape, encoder.finish(waveform).shape
        ((4, 29), (22, 29))
    """

    def __init__(self, model: AcousticModel, latency: Latency) -> None:
        self._model, self._latency = model, latency
        self._hop, self._reach = model.log_mel.hop_length, model.log_mel.n_fft // 2
        self._frames_per_step = model.subsample.factor * model.frame_stacking
        self._step = 0  # the first step of the next window
        self._first_frame = 0  # of the features
        self._features = torch.zeros(0, model.log_mel.options["n_mels"], device=model.log_mel.mean.device)
        self._states: StackStates | None = None

    @property
    def samples_needed(self) -> int:
        """Samples from the start of the stream that the next window needs."""
        return (self._frames_needed - 1) * self._hop + self._reach

    @property
    def _frames_needed(self) -> int:
        end = self._step + self._latency.chunk_steps + self._latency.lookahead_steps
        return end * self._frames_per_step + self._model.subsample.factor - 1  # read by the convolutions

    def advance(self, waveform: NDArray[np.floating]) -> NDArray[np.float32] | None:
        """Return the emissions of the next window `[T, V]`; None if it needs more samples.

        Args:
            waveform: the stream at 16 kHz, from its start to the last sample so far `[N]`.
        """
        if len(waveform) < self.samples_needed:
            return None
        self._extend_features(waveform[: self.samples_needed], self._frames_needed)
        steps = self._latency.chunk_steps
        window = self._subsample()[:, : (steps + self._latency.lookahead_steps) * self._model.frame_stacking]
        emissions = self._encode(window, steps)
        self._step += steps
        # The features that no later window reads are dropped.
        factor = self._model.subsample.factor
        first = max(0, self._step * self._frames_per_step - EDGE_FRAMES * factor)
        self._features = self._features[first - self._first_frame :]
        self._first_frame = first
        return emissions

    def finish(self, waveform: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the remaining emissions `[T, V]` of a stream that ends after `waveform` `[N]`."""
        none = np.zeros((0, self._model.head.vocabulary), np.float32)
        if not len(waveform):
            return none
        self._extend_features(waveform, len(waveform) // self._hop + 1)
        window = self._subsample()
        if not window.shape[1]:
            return none
        return self._encode(window, -(-window.shape[1] // self._model.frame_stacking))

    @torch.no_grad()
    def _extend_features(self, waveform: NDArray[np.floating], end: int) -> None:
        """Compute the features up to frame `end`."""
        log_mel = self._model.log_mel
        begin = self._first_frame + len(self._features)
        if end <= begin:
            return
        # The first frames of a slice lack the samples before it.
        skipped = min(begin, -(-self._reach // self._hop))
        samples = torch.as_tensor(waveform[(begin - skipped) * self._hop :], device=self._features.device)
        energies = log_mel.log_energies(samples)[skipped : skipped + end - begin]
        self._features = torch.cat([self._features, (energies - log_mel.mean) / log_mel.std])

    @torch.no_grad()
    def _subsample(self) -> Tensor:
        """Return the subsampled frames of the next window, and of the future that is known `[1, W, F]`."""
        frames = torch.tensor([len(self._features)], device=self._features.device)
        x: Tensor = self._model.subsample(self._features[None], frames)[0]
        first = self._step * self._model.frame_stacking - self._first_frame // self._model.subsample.factor
        return x[:, first:]

    @torch.no_grad()
    def _encode(self, window: Tensor, steps: int) -> NDArray[np.float32]:
        log_probs, self._states = self._model.forward_window(window, steps, self._states)
        emissions: NDArray[np.float32] = log_probs[0].cpu().numpy()
        return emissions


def maximum_delay(model: AcousticModel, latency: Latency) -> float:
    """Return the maximum time from a sound to its emissions in seconds, without the time of computation."""
    return StreamingEncoder(model, latency).samples_needed / SAMPLE_RATE
