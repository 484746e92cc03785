"""Options of log-mel features, and mel filters in NumPy for features without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_FFT, WIN_LENGTH = 512, 400
"""Length of the Fourier transform and of the Hann window of a frame, samples at 16 kHz."""
F_MIN, F_MAX = 20.0, 8000.0
"""Lower edge of the first band and upper edge of the last, Hz."""
LOG_OFFSET = 1e-6
"""Added to mel energies before the natural logarithm; digital silence becomes about -13.8."""
LINEAR_HZ, LINEAR_STEP_HZ, LOG_STEP = 1000.0, 200 / 3, np.log(6.4) / 27
"""The mel scale is linear up to 1 kHz, and logarithmic above."""
WARPED_SHARE = 0.6
"""Share of the frequency range that is warped by a factor; the frequencies above it fill the rest."""


def mel_filters(
    n_fft: int, n_mels: int, f_min: float, f_max: float, sample_rate: int, warp: float = 1.0
) -> NDArray[np.float32]:
    """Return triangular filters of equal area on the mel scale `[n_fft // 2 + 1, F]`.

    Sources: Slaney 1998, Auditory Toolbox; Jaitly & Hinton 2013 (warp).

    Args:
        n_fft: length of the Fourier transform, samples.
        n_mels: number of filters F.
        f_min, f_max: lower edge of the first filter and upper edge of the last, Hz.
        sample_rate: sample rate, Hz.
        warp: factor of the edges of the filters, as if the vocal tract were shorter or longer by it.
    Example:
        >>> mel_filters(512, 80, 20.0, 8000.0, 16000).shape
        (257, 80)
    """
    frequencies = np.linspace(0, sample_rate // 2, n_fft // 2 + 1)[:, None]
    low, high = _to_mel(f_min), _to_mel(f_max)
    edges = _warp(_to_hz(np.linspace(low, high, n_mels + 2)), warp, sample_rate / 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (frequencies - left) / (centre - left), (right - frequencies) / (right - centre)
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * (2 / (right - left))
    return filters.astype(np.float32)


def _warp(hertz: NDArray[np.float64], factor: float, nyquist: float) -> NDArray[np.float64]:
    """Multiply frequencies by a factor, except high ones: half of the sample rate stays."""
    if factor == 1:
        return hertz
    target = WARPED_SHARE * nyquist * min(factor, 1.0)
    corner = target / factor
    upper = nyquist - (nyquist - target) / (nyquist - corner) * (nyquist - hertz)
    return np.where(hertz <= corner, hertz * factor, upper)


def _to_mel(hertz: float) -> float:
    if hertz < LINEAR_HZ:
        return hertz / LINEAR_STEP_HZ
    return float(LINEAR_HZ / LINEAR_STEP_HZ + np.log(hertz / LINEAR_HZ) / LOG_STEP)


def _to_hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    corner = LINEAR_HZ / LINEAR_STEP_HZ
    logarithmic = LINEAR_HZ * np.exp(LOG_STEP * (np.maximum(mels, corner) - corner))
    return np.where(mels < corner, mels * LINEAR_STEP_HZ, logarithmic)
