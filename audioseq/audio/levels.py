"""Choice of the channels and of the gain of a recording, from a survey of its samples."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Channels = Literal["mix", "left", "right", "split"] | int
"""How a recording becomes mono: `mix`, or the channel by name or by number from 1; `split` for all."""

WINDOW_SECONDS = 0.1
"""Levels are measured in windows of this length."""
SILENT_POWER_RATIO = 1e-4
"""A channel is silent below this power relative to the loudest channel: -40 dB, typical crosstalk."""
CLIPPING_AMPLITUDE = 0.99
"""Minimum amplitude of a clipped sample, relative to full scale."""
MAX_CLIPPED_SHARE = 1e-3
"""Share of clipped samples above which a channel is clipped; those without clipping never reach it."""
MIN_CORRELATION = 0.5
"""Channels that correlate more than this carry the same signal; with a minus sign, one is inverted."""
CANCELLED_POWER_RATIO = 0.05
"""Channels cancel in a window if their mean has less than this share of their power."""
MAX_CANCELLED_SHARE = 0.1
"""Share of the energy in windows that cancel, above which a single channel is used instead of the mean."""
LEVEL_PERCENTILE = 95
"""The level of a recording is that of its louder windows, since pauses and single clicks say nothing."""
QUIET_DB = -32.0
"""Recordings below this level are amplified, in dB of full scale; clips of LibriSpeech have -27 to -13."""
TARGET_DB = -19.0
"""Level after amplification: the median of LibriSpeech dev-clean."""
MAX_GAIN_DB = 40.0
MIN_DB = -80.0
"""Recordings below this level are silence with the noise of a converter; they are not amplified."""
VERY_QUIET_DB = -50.0
"""Level below which the quantisation to 16 bits becomes audible as noise."""


class Survey:
    """Statistics of all channels of a recording, and the decision that follows from them.

    Args:
        channels: number of channels.
        rate: sample rate, Hz.
        is_float: whether samples beyond full scale are intact.
    """

    def __init__(self, channels: int, rate: int, *, is_float: bool) -> None:
        self._channels, self._is_float = channels, is_float
        self._window = max(1, round(rate * WINDOW_SECONDS))
        self._samples = 0
        self._peak = 0.0
        self._clipped = np.zeros(channels)
        self._grams = [
            np.zeros((0, channels, channels), np.float32)
        ]  # of the windows of each block [W, channels, channels]

    def add(self, block: NDArray[np.float32]) -> None:
        """Add samples `[n, channels]`; those that are not finite are left out."""
        windows = block[: len(block) // self._window * self._window].reshape(-1, self._window, self._channels)
        windows = windows[np.isfinite(windows).all(axis=(1, 2))]
        amplitude = np.abs(block[np.isfinite(block).all(axis=1)])
        self._samples += len(amplitude)
        self._peak = max(self._peak, float(amplitude.max(initial=0.0)))
        self._clipped += (amplitude >= CLIPPING_AMPLITUDE).sum(axis=0)
        centred = windows - windows.mean(axis=1, keepdims=True)
        self._grams.append(centred.transpose(0, 2, 1) @ centred / self._window)

    def is_ordinary(self) -> bool:
        """Return whether more samples cannot change the decision: one channel that is loud enough."""
        return self._channels == 1 and not self._is_float and self._level(np.ones(1)) >= QUIET_DB

    def is_silent(self, channel: int) -> bool:
        """Return whether a channel, from 0, has at most crosstalk of the others."""
        power = np.concatenate(self._grams).sum(axis=0, dtype=np.float64).diagonal()
        return bool(power[channel] <= SILENT_POWER_RATIO * power.max())

    def choose_channels(self) -> tuple[NDArray[np.float32], list[str]]:
        """Return the weights of the channels `[channels]` for the best mono signal, and warnings."""
        mean = np.full(self._channels, 1 / self._channels, np.float32)
        grams = np.concatenate(self._grams)
        gram = grams.sum(axis=0, dtype=np.float64)
        power = gram.diagonal()
        if self._channels == 1 or not power.max(initial=0.0) > 0:
            return mean, []
        warnings = []
        loudest = int(power.argmax())
        used = power > SILENT_POWER_RATIO * power[loudest]
        if not used.all():
            warnings.append(f"{self._names(~used)} silent; {self._names(used)} used")
        correlation = gram[loudest] / np.sqrt(np.maximum(power * power[loudest], 1e-30))
        clipped = used & (self._clipped > MAX_CLIPPED_SHARE * self._samples)
        if clipped.any() and (used & ~clipped).any() and not self._is_float:
            # A clipped channel is not needed if another channel has the same signal.
            reference = int(np.where(used & ~clipped, power, 0.0).argmax())
            same = gram[reference] / np.sqrt(np.maximum(power * power[reference], 1e-30))
            drop = clipped & (np.abs(same) > MIN_CORRELATION)
            if drop.any():
                used &= ~drop
                warnings.append(f"{self._names(drop)} clipped; {self._names(used)} used")
                loudest, correlation = reference, same
        signs = np.where(correlation < -MIN_CORRELATION, -1, 1)
        weights = used * signs / used.sum()
        if (signs[used] < 0).any():
            inverted = self._names(used & (signs < 0))
            warnings.append(f"the channels cancel each other; {inverted} inverted (reversed polarity)")
        elif self._cancelled(grams, weights) > MAX_CANCELLED_SHARE:
            weights = (np.arange(self._channels) == loudest) * 1.0
            warnings.append(f"the channels cancel each other; only {self._names(weights > 0)} used")
        if np.allclose(weights, mean):
            weights = mean
        return weights.astype(np.float32), warnings

    def choose_gain(self, weights: NDArray[np.float32], *, amplify: bool) -> tuple[float, list[str]]:
        """Return the factor for the signal with these weights, and warnings.

        Args:
            weights: of the channels `[channels]`.
            amplify: whether quiet recordings are amplified.
        """
        scale = 1 / self._peak if self._is_float and self._peak > 1 else 1.0
        level = self._level(weights) + 20 * math.log10(scale)
        if not amplify or not MIN_DB <= level < QUIET_DB:
            return scale, []
        gain = min(TARGET_DB - level, MAX_GAIN_DB)
        warning = f"very quiet ({level:.0f} dB); amplified by {gain:.0f} dB; record at a higher level"
        return scale * 10 ** (gain / 20), [warning] if level < VERY_QUIET_DB else []

    def _level(self, weights: NDArray[np.floating]) -> float:
        """Return the level of a mono signal in dB of full scale."""
        power = np.einsum("wij,i,j->w", np.concatenate(self._grams), weights, weights)
        loud = float(np.percentile(power, LEVEL_PERCENTILE)) if len(power) else 0.0
        return 10 * math.log10(loud) if loud > 0 else -math.inf

    @staticmethod
    def _cancelled(grams: NDArray[np.float32], weights: NDArray[np.floating]) -> float:
        """Return the share of the energy that lies in windows where the channels cancel."""
        used = np.flatnonzero(weights)
        power = np.einsum("wii->wi", grams)[:, used].mean(axis=1)
        mixed = np.einsum("wij,i,j->w", grams, weights, weights)
        return float(power[mixed < CANCELLED_POWER_RATIO * power].sum() / max(power.sum(), 1e-30))

    def _names(self, chosen: NDArray[np.bool_]) -> str:
        numbers = [str(number) for number in np.flatnonzero(chosen) + 1]
        if len(numbers) == 1:
            return f"channel {numbers[0]} is"
        return f"channels {', '.join(numbers)} are"
