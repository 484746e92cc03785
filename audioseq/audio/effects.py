"""Application of augmentation effects to a batch of recordings, on any device."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from audioseq.audio.augment import NOISE_SAMPLES, STRETCH_UNIT, Effects, is_smooth

TRANSFORM_UNIT = 10 * STRETCH_UNIT
"""Fourier transforms have a multiple of this length, so few lengths occur and all stretches are exact."""
GUARD_SAMPLES = 320
"""Zeros after a recording, so that the ringing of filters does not wrap round to its start."""
TRANSITION_FRACTION = 0.06
"""Width of the low-pass filter's transition band, as a fraction of the cut-off frequency."""
NO_CUT_HZ = 1e9
"""Cut-off frequency where there is no low-pass filter."""
NOISE_CORNER_HZ = 50.0
"""Frequency below which coloured noise is flat, so that brown noise is not dominated by rumble."""
NOISE_GUARD_SAMPLES = 1600
"""Samples left out at the start of noise, which depend on its end: the transform is circular."""
MIN_NORM = 1e-20
"""Guards the division by the norm of noise."""
ROOM_SECONDS = 0.4
"""Length of a room impulse response."""


def apply_effects(
    waveforms: Tensor, lengths: Sequence[int], effects: Sequence[Effects], sample_rate: int = 16_000
) -> tuple[Tensor, list[int]]:
    """Return the changed waveforms of a batch, and their lengths.

    Speed, room, low-pass filter and level are changed in one spectrum, between a Fourier transform of the
    batch and inverse transforms of other lengths. A longer inverse transform gives slower and lower speech
    (speed perturbation, Ko et al. 2015), a room is a product of spectra, and zeroed bins are a low-pass
    filter. Then noise is added, whose spectrum has the same low-pass filter. Up to rounding and the ringing
    of filters, the result for a recording does not depend on the others of its batch.

    Args:
        waveforms: samples `[B, N]` float32, 0 on padding.
        lengths: samples of each waveform.
        effects: of each waveform, from `WaveAugment.draw`.
        sample_rate: of the waveforms, Hz.
    Returns:
        waveforms `[B, M]`, 0 on padding, and their lengths: `Effects.length` of each.
    Example:
        >>> slower, lengths = apply_effects(torch.ones(1, 1000), [1000], [Effects(stretch=220)])
        >>> slower.shape, lengths
        (torch.Size([1, 1100]), [1100])
    """
    has_rooms = any(each.room for each in effects)
    old = _transform_size(max(lengths) + (round(ROOM_SECONDS * sample_rate) if has_rooms else GUARD_SAMPLES))
    new = [old * each.stretch // STRETCH_UNIT for each in effects]
    spectrum = torch.fft.rfft(waveforms, old)
    if has_rooms:
        rows = _rows([each.room is not None for each in effects], waveforms)
        spectrum[rows] *= torch.fft.rfft(_impulse_responses(effects, sample_rate, waveforms), old)
    if filtered := [each for each in effects if each.cut]:
        rows = _rows([each.cut is not None for each in effects], waveforms)
        steps = [sample_rate / size for each, size in zip(effects, new, strict=True) if each.cut]
        spectrum[rows] *= _low_pass(filtered, steps, spectrum.shape[1], waveforms)
    scale = [size / old * 10 ** (each.gain / 20) for size, each in zip(new, effects, strict=True)]
    spectrum *= _column(scale, waveforms)

    changed = [each.length(length) for each, length in zip(effects, lengths, strict=True)]
    output = waveforms.new_zeros(len(effects), max(changed))
    for size in sorted(set(new)):
        rows = _rows([each == size for each in new], waveforms)
        piece = torch.fft.irfft(spectrum[rows, : size // 2 + 1], size)[:, : output.shape[1]]
        output[rows, : piece.shape[1]] = piece
    valid = torch.arange(output.shape[1], device=output.device) < _column(changed, waveforms)
    output *= valid
    if noisy := [each for each in effects if each.noise]:
        rows = _rows([each.noise is not None for each in effects], waveforms)
        noise = _coloured_noise(noisy, output.shape[1], sample_rate, waveforms) * valid[rows]
        ratios = [10 ** (-each.noise.snr / 20) for each in noisy if each.noise]
        level = _column(ratios, waveforms) * _norm(output[rows]) / _norm(noise).clamp_min(MIN_NORM)
        output[rows] += noise * level
    return output, changed


def _transform_size(samples: int) -> int:
    """Return the length of a fast transform of at least this number of samples."""
    units = -(-samples // TRANSFORM_UNIT)
    while not is_smooth(units):
        units += 1
    return units * TRANSFORM_UNIT


def _low_pass(effects: Sequence[Effects], hertz: Sequence[float], bins: int, like: Tensor) -> Tensor:
    """Return the frequency responses of the low-pass filters `[B, bins]`; `hertz` is the step of the bins."""
    cut = _column([each.cut or NO_CUT_HZ for each in effects], like)
    frequencies = _column(hertz, like) * torch.arange(bins, device=like.device)
    return ((cut - frequencies) / (TRANSITION_FRACTION * cut)).clamp_(0, 1)


def _impulse_responses(effects: Sequence[Effects], sample_rate: int, like: Tensor) -> Tensor:
    """Return the impulse responses of the effects that have a room `[R, N]`, of energy 1."""
    rooms = [each.room for each in effects if each.room]
    seconds = torch.arange(round(ROOM_SECONDS * sample_rate), device=like.device) / sample_rate
    decay = torch.exp(_column([-math.log(1000) / room.decay for room in rooms], like) * seconds)
    response = decay * _white([room.offset for room in rooms], len(seconds), like)
    response *= _column([10 ** (room.level / 20) for room in rooms], like) / _norm(response)
    response[:, 0] = 1.0
    response /= _norm(response)
    return response


def _coloured_noise(effects: Sequence[Effects], samples: int, sample_rate: int, like: Tensor) -> Tensor:
    """Return noise `[R, samples]` of any level, with the low-pass filter of its recording."""
    noises = [each.noise for each in effects if each.noise]
    size = _transform_size(samples + NOISE_GUARD_SAMPLES)
    spectrum = torch.fft.rfft(_white([each.offset for each in noises], size, like))
    bins, step = spectrum.shape[1], sample_rate / size
    log_hertz = (torch.arange(bins, device=like.device) * step).clamp_min(NOISE_CORNER_HZ).log()
    shape = torch.exp(_column([-each.exponent / 2 for each in noises], like) * log_hertz)
    spectrum *= shape * _low_pass(effects, [step] * len(effects), bins, like)
    noise: Tensor = torch.fft.irfft(spectrum, size)
    return noise[:, NOISE_GUARD_SAMPLES : NOISE_GUARD_SAMPLES + samples]


def _white(offsets: Sequence[int], size: int, like: Tensor) -> Tensor:
    """Return rows of white noise `[R, size]` that start at offsets of the store."""
    starts = _tensor(offsets, like).unsqueeze(1)
    index = (starts + torch.arange(size, device=like.device)) & (NOISE_SAMPLES - 1)
    return _noise_store(like.device)[index]


@functools.cache
def _noise_store(device: torch.device) -> Tensor:
    """Return the store of white noise: faster than drawing noise, and equal on all devices."""
    return torch.randn(NOISE_SAMPLES, generator=torch.Generator().manual_seed(0)).to(device)


def _norm(x: Tensor) -> Tensor:
    """Return the square root of the energy of each row `[B, 1]`."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return norm


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    """Return values as `[B, 1]` float32 on the device of another tensor."""
    return _tensor(values, like).float().unsqueeze(1)


def _rows(chosen: Sequence[bool], like: Tensor) -> Tensor:
    """Return the numbers of the chosen rows, on the device of another tensor."""
    return _tensor([row for row, choice in enumerate(chosen) if choice], like)


def _tensor(values: Sequence[float], like: Tensor) -> Tensor:
    """Return values on the device of another tensor, without waiting for a GPU."""
    return torch.tensor(values).to(like.device, non_blocking=like.is_cuda)
