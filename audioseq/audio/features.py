"""Log-mel features, the input of speech models."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
import torchaudio.functional
from torch import Tensor, nn

from audioseq.audio.mel import F_MAX, F_MIN, LOG_OFFSET, N_FFT, WIN_LENGTH, mel_filters

N = TypeVar("N", int, Tensor)

MIN_STD = 0.1
"""Minimum standard deviation of a mel band, so that constant bands (band-limited audio) are not amplified."""


class LogMel(nn.Module):
    """Compute normalised log-mel energies of waveforms.

    Frame t is centred on sample t * hop_length. Each waveform is padded with zeros, processed separately and
    normalised with fixed statistics. So an utterance has the same features, bit for bit, alone and in any
    batch, and features can be computed in a stream. Mel scale and area normalisation: Slaney 1998, Auditory
    Toolbox.

    Args:
        sample_rate: sample rate of the waveforms, Hz.
        n_fft: length of the Fourier transform, samples.
        win_length: length of the Hann window, samples.
        hop_length: hop from one frame to the next, samples.
        n_mels: number of mel bands F.
        f_min, f_max: minimum and maximum frequency of the bands, Hz.
    Example:
        >>> features, frames = LogMel()(torch.zeros(2, 16000), torch.tensor([16000, 8000]))
        >>> features.shape, frames.tolist()
        (torch.Size([2, 101, 80]), [101, 51])
    """

    mean: Tensor
    std: Tensor
    window: Tensor
    filters: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        n_fft: int = N_FFT,
        win_length: int = WIN_LENGTH,
        hop_length: int = 160,
        n_mels: int = 80,
        f_min: float = F_MIN,
        f_max: float = F_MAX,
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {
            "sample_rate": sample_rate, "n_fft": n_fft, "win_length": win_length, "hop_length": hop_length,
            "n_mels": n_mels, "f_min": f_min, "f_max": f_max,
        }  # fmt: skip
        self.n_fft, self.win_length, self.hop_length = n_fft, win_length, hop_length
        filters = torchaudio.functional.melscale_fbanks(
            n_fft // 2 + 1, f_min, f_max, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(win_length), persistent=False)
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("std", torch.ones(n_mels))

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Set the mean and standard deviation `[F]` that normalise each mel band."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def log_energies(self, waveform: Tensor, filters: Tensor | None = None) -> Tensor:
        """Return the log-mel energies `[..., T, F]` of waveforms `[..., N]`, not normalised.

        Args:
            waveform: samples in -1..1.
            filters: other mel filters `[..., n_fft // 2 + 1, F]`.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torchaudio.functional.spectrogram(
                waveform.float(),
                pad=0,
                window=self.window,
                n_fft=self.n_fft,
                hop_length=self.hop_length,
                win_length=self.win_length,
                power=None,
                normalized=False,
                pad_mode="constant",
            )
            # Takes half the time of power=2, which computes square roots and squares them.
            power = spectrum.real.square() + spectrum.imag.square()
            return torch.log(power.mT @ (self.filters if filters is None else filters) + LOG_OFFSET)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and their lengths.

        Args:
            waveform: samples in -1..1 `[B, N]`, with arbitrary padding.
            lengths: samples of each waveform `[B]`.
        Returns:
            normalised log-mel energies `[B, T, F]`, exactly 0 on padding, and the number of frames of each
            waveform `[B]`, from `count_frames`.
        """
        # One waveform at a time, because the rounding of a matrix product depends on its shape.
        rows = [
            (self.log_energies(row[:length]) - self.mean) / self.std
            for row, length in zip(waveform, lengths.tolist(), strict=True)
        ]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True), self.count_frames(lengths)

    def count_frames(self, samples: N) -> N:
        """Return the number of frames of a waveform, or of several, given their samples."""
        return samples // self.hop_length + 1

    def batch_features(
        self, waveform: Tensor, lengths: Tensor, warps: Sequence[float] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return what `forward` returns, computed for the whole batch at once, as training does.

        It is equal up to rounding, which depends on the batch.

        Args:
            waveform: samples in -1..1 `[B, N]`, 0 on padding.
            lengths: samples of each waveform `[B]`, at most N, on the same device.
            warps: factor of each waveform's mel filters, see `mel_filters`; None: 1.
        """
        filters = None
        if warps is not None and set(warps) != {1.0}:
            sizes = [self.options[name] for name in ("n_fft", "n_mels", "f_min", "f_max", "sample_rate")]
            filters = torch.stack([_warped_filters(*sizes, warp) for warp in warps]).to(waveform.device)
        features = (self.log_energies(waveform, filters) - self.mean) / self.std
        frames = self.count_frames(lengths)
        valid = torch.arange(features.shape[1], device=frames.device) < frames.unsqueeze(1)
        return torch.where(valid.unsqueeze(2), features, 0.0), frames


@functools.lru_cache(maxsize=64)
def _warped_filters(*options: Any) -> Tensor:
    return torch.from_numpy(mel_filters(*options))


@torch.no_grad()
def global_statistics(log_mel: LogMel, waveforms: Iterable[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation `[F]` of each mel band over all frames of waveforms `[N]`."""
    count, total, squares = 0, torch.zeros(()), torch.zeros(())
    for waveform in waveforms:
        energies = log_mel.log_energies(torch.as_tensor(waveform)).double()
        count += len(energies)
        total = total + energies.sum(0)
        squares = squares + energies.square().sum(0)
    if not count:
        raise ValueError("global_statistics needs at least one waveform")
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt().clamp_min(MIN_STD)
    return mean.float(), std.float()
