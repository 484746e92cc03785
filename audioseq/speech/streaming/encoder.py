"""Emissions of a stream: windows of frames with a limited lookahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq.audio import SAMPLE_RATE
from audioseq.speech.streaming.options import Latency
from audioseq.speech.windows import Window, WindowModel

EDGE_FRAMES = 2
"""Subsampled frames at the start of a slice that lack the features before it: convolutions have 5 frames."""


class StreamingEncoder:
    """Computes the emissions of a stream with an offline model, window by window.

    Forward layers continue from the window before, backward layers read a limited lookahead
    (`Recurrent.window`), so a bidirectional model needs no other weights. The windows depend only on the
    position in the stream, not on the blocks in which it arrives.

    Args:
        model: the acoustic model.
        latency: length and lookahead of the windows.
    Example:
        >>> from audioseq.speech.model import AcousticModel
        >>> model = AcousticModel(29, 29, lower_size=8, upper_size=8, channels=(4, 8)).eval()
        >>> encoder = StreamingEncoder(model, Latency(2, 2))
        >>> waveform = np.zeros(16_000, np.float32)
        >>> encoder.advance(waveform[:4_000]) is None  # the first window needs more
        True
        >>> encoder.advance(waveform).shape, encoder.finish(waveform).shape
        ((4, 29), (22, 29))
    """

    def __init__(self, model: WindowModel, latency: Latency) -> None:
        self._model, self._latency, self._framing = model, latency, model.framing
        self._factor = 1 << self._framing.convolutions
        self._step = 0  # the first step of the next window
        self._states: Sequence[Any] | None = None

    @property
    def samples_needed(self) -> int:
        """Samples from the start of the stream that the next window needs."""
        return (self._features_needed - 1) * self._framing.hop_length + self._framing.n_fft // 2

    @property
    def _frames_needed(self) -> int:
        steps = self._step + self._latency.chunk_steps + self._latency.lookahead_steps
        return steps * self._framing.frame_stacking

    @property
    def _features_needed(self) -> int:
        return self._frames_needed * self._factor + self._factor - 1  # the last are read by the convolutions

    def advance(self, waveform: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the emissions of the next window `[T, V]`; None if it needs more samples.

        Args:
            waveform: the stream at 16 kHz, from its start to the last sample so far `[N]`.
        """
        if len(waveform) < self.samples_needed:
            return None
        steps = self._latency.chunk_steps
        emissions = self._compute(
            waveform[: self.samples_needed], self._features_needed, self._frames_needed, steps
        )
        self._step += steps
        return emissions

    def finish(self, waveform: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the last emissions `[T, V]` of a stream that ends after `waveform`; None without any."""
        features = len(waveform) // self._framing.hop_length + 1 if len(waveform) else 0
        frames = -(-features // self._factor)
        steps = -(-frames // self._framing.frame_stacking) - self._step
        return self._compute(waveform, features, frames, steps) if steps > 0 else None

    def _compute(
        self, waveform: NDArray[np.float32], features: int, frames: int, steps: int
    ) -> NDArray[np.float32]:
        """Compute the next steps, from the features and frames before the given counts of the stream."""
        first_frame = self._step * self._framing.frame_stacking
        edge = min(first_frame, EDGE_FRAMES)
        first_feature = (first_frame - edge) * self._factor
        # The first features of a slice lack the samples before it.
        skipped = min(first_feature, -(-self._framing.n_fft // (2 * self._framing.hop_length)))
        window = Window(skipped, features - first_feature, edge, frames - first_frame, steps)
        part = waveform[(first_feature - skipped) * self._framing.hop_length :]
        emissions, self._states = self._model.compute_window(part, window, self._states)
        return emissions


def maximum_delay(model: WindowModel, latency: Latency) -> float:
    """Return the maximum time from a sound to its emissions in seconds, without the time of computation."""
    return StreamingEncoder(model, latency).samples_needed / SAMPLE_RATE
