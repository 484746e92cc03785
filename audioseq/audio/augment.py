"""Waveform augmentation: speed perturbation, low-pass filter, noise and gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

GUARD_SAMPLES = 320
"""Zeros after the waveform, so that the ringing of filters does not wrap round to its start."""
TRANSITION_FRACTION = 0.06
"""Width of the low-pass filter's transition band, as a fraction of the cut-off frequency."""
NOISE_CORNER_HZ = 50.0
"""Frequency below which coloured noise is flat, so that brown noise is not dominated by rumble."""


@dataclass(frozen=True)
class WaveAugment:
    """Change the speed, bandwidth, noise and level of a recording at random.

    All changes are made in one spectrum, between a Fourier transform and an inverse transform of another
    length. A longer inverse transform gives slower and lower speech (speed perturbation, Ko et al. 2015),
    zeroed bins are a low-pass filter, and coloured noise is drawn for each bin. Transform lengths are rounded
    up to fast ones, so the speed deviates by 1 % on average, by at most 4 % for recordings of seconds, and by
    at most 10 % for shorter ones.

    Args:
        speed: minimum and maximum factor; 1.1 is 10 % faster and higher in pitch.
        low_pass: minimum and maximum cut-off frequency, Hz.
        low_pass_prob: probability of the low-pass filter.
        noise_snr: minimum and maximum signal-to-noise ratio after the low-pass filter, dB.
        noise_prob: probability of noise, whose colour lies between white and brown.
        gain: minimum and maximum change of level, dB; samples may exceed -1..1.
    """

    speed: tuple[float, float] = (0.9, 1.1)
    low_pass: tuple[float, float] = (3400.0, 8000.0)
    low_pass_prob: float = 0.3
    noise_snr: tuple[float, float] = (10.0, 40.0)
    noise_prob: float = 0.3
    gain: tuple[float, float] = (-12.0, 6.0)

    def __post_init__(self) -> None:
        for name in ("speed", "low_pass", "noise_snr", "gain"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is ({low}, {high}), but the minimum must not exceed the maximum")
        for name in ("low_pass_prob", "noise_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in 0..1")
        if not 0.5 <= self.speed[0] <= self.speed[1] <= 2:
            raise ValueError(f"speed is {self.speed}, but must be in 0.5..2")
        if self.low_pass[0] <= 0:
            raise ValueError(f"low_pass is {self.low_pass}, but must be above 0 Hz")

    def __call__(self, waveform: Tensor, generator: torch.Generator, sample_rate: int = 16_000) -> Tensor:
        """Return the augmented waveform, of length about N / speed.

        Args:
            waveform: samples `[N]` float32.
            generator: source of all random numbers, see `keyed_generator`.
            sample_rate: sample rate of the waveform, Hz.
        """
        import scipy.fft  # not at the top: options of training are read where torch is not installed
        import torch

        if not len(waveform):
            return waveform
        # A fixed number of draws, so that a change of noise_prob does not change speed, cut-off and gain.
        draws = torch.rand(7, generator=generator, dtype=torch.float64).tolist()
        ranges = (self.speed, self.low_pass, self.noise_snr, self.gain)
        speed, cut, snr, gain = (
            low + draw * (high - low) for (low, high), draw in zip(ranges, draws[:4], strict=True)
        )
        old_size = scipy.fft.next_fast_len(len(waveform) + GUARD_SAMPLES, real=True)
        new_size = scipy.fft.next_fast_len(round(old_size / speed), real=True)
        length = max(1, round(len(waveform) * new_size / old_size))

        bins = scipy.fft.rfft(waveform.numpy(), old_size)
        kept = min(old_size, new_size) // 2 + 1
        spectrum = np.zeros(new_size // 2 + 1, np.complex64)
        spectrum[:kept] = bins[:kept] * (new_size / old_size)
        frequencies = np.arange(len(spectrum), dtype=np.float32) * (sample_rate / new_size)

        response = np.float32(1)
        if draws[4] < self.low_pass_prob:
            response = np.clip((cut - frequencies) / (TRANSITION_FRACTION * cut), 0, 1)
            spectrum *= response
        if draws[5] < self.noise_prob:
            noise = response * _noise(frequencies, 2 * draws[6], generator)
            signal_power = _energy(spectrum) / length  # without the zeros after the waveform
            noise_power = _energy(noise) / new_size
            spectrum += noise * np.float32((signal_power / noise_power) ** 0.5 * 10 ** (-snr / 20))
        spectrum *= np.float32(10 ** (gain / 20))
        return torch.from_numpy(scipy.fft.irfft(spectrum, new_size)[:length])


def _noise(frequencies: np.ndarray, exponent: float, generator: torch.Generator) -> np.ndarray:
    """Draw the spectrum of noise with power proportional to 1 / f^exponent: 0 is white, 1 pink, 2 brown."""
    import torch

    white = torch.randn(len(frequencies), 2, generator=generator).numpy().view(np.complex64)[:, 0]
    shape: np.ndarray = np.maximum(frequencies, np.float32(NOISE_CORNER_HZ)) ** np.float32(-exponent / 2)
    return shape * white


def _energy(spectrum: np.ndarray) -> float:
    return float(np.vdot(spectrum, spectrum).real)
