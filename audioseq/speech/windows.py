"""Windows of a stream: parts that a model computes at once, continuing from its states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Framing:
    """How a model divides time, from samples to the steps of its upper stack."""

    hop_length: int
    """Samples from one log-mel frame to the next."""
    n_fft: int
    """Samples that a log-mel frame is computed from, centred on it."""
    convolutions: int
    """Strided convolutions; each halves the frame rate."""
    frame_stacking: int
    """Frames in a step of the upper stack."""


@dataclass(frozen=True)
class Window:
    """A window, as counts of what is computed from its slice of the waveform.

    The slice begins early, because the first features and frames of a slice lack the samples before it. They
    are computed and skipped.
    """

    skipped_features: int
    """Log-mel frames before those that are used."""
    features: int
    skipped_frames: int
    """Subsampled frames before those that are used."""
    frames: int
    """Subsampled frames, with the lookahead."""
    steps: int
    """Steps of the upper stack, without the lookahead: the emissions that are returned."""


class WindowModel(Protocol):
    """An acoustic model that computes a stream window by window."""

    @property
    def framing(self) -> Framing:
        """How the model divides time."""

    def compute_window(
        self, waveform: NDArray[np.float32], window: Window, states: Sequence[Any] | None
    ) -> tuple[NDArray[np.float32], Sequence[Any]]:
        """Compute the emissions of a window.

        Args:
            waveform: slice of the stream at 16 kHz `[N]`.
            window: what is computed from it.
            states: states that the window before returned; None for the first window.
        Returns:
            log-probabilities of the steps `[T, V]`, and the states after them.
        """
