"""Options of waveform augmentation, and the random effects that they draw for each recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch

STRETCH_UNIT = 200
"""Stretch factors are multiples of 1 / STRETCH_UNIT."""


def is_smooth(number: int) -> bool:
    """Return whether a number has no prime factor above 11, so that Fourier transforms of it are fast."""
    for prime in (2, 3, 5, 7, 11):
        while number % prime == 0:
            number //= prime
    return number == 1


STRETCHES = tuple(n for n in range(STRETCH_UNIT // 2, 2 * STRETCH_UNIT + 1) if is_smooth(n))
"""Possible stretch factors, in units of 1 / STRETCH_UNIT."""
WARP_STEP = 0.01
"""Warp factors are multiples of this, so that few sets of mel filters occur."""
NOISE_SAMPLES = 2**21
"""Size of the store of white noise, samples; a power of 2."""


class Room(NamedTuple):
    """A synthetic room impulse response: the direct sound, then noise that decays exponentially."""

    decay: float
    """Seconds in which the reverberation decays by 60 dB."""
    level: float
    """Energy of the reverberation relative to the direct sound, dB."""
    offset: int
    """Start in the store of white noise, see `effects`."""


class Noise(NamedTuple):
    """Coloured noise."""

    snr: float
    """Signal-to-noise ratio, dB."""
    exponent: float
    """The power is proportional to 1 / f^exponent: 0 is white, 1 pink, 2 brown."""
    offset: int
    """Start in the store of white noise, see `effects`."""


class Effects(NamedTuple):
    """The changes of one recording; `apply_effects` makes them."""

    stretch: int = STRETCH_UNIT
    """New length as a multiple of 1 / STRETCH_UNIT of the old one; longer is slower and lower in pitch."""
    gain: float = 0.0
    """Change of level, dB."""
    cut: float | None = None
    """Cut-off frequency of the low-pass filter, Hz."""
    noise: Noise | None = None
    room: Room | None = None
    warp: float = 1.0
    """Factor of all frequencies on the way to the mel bands, see `mel_filters`."""

    def length(self, samples: int) -> int:
        """Return the new length of a recording, in samples."""
        return max(1, (2 * samples * self.stretch + STRETCH_UNIT) // (2 * STRETCH_UNIT))


@dataclass(frozen=True)
class WaveAugment:
    """Change the speed, room, bandwidth, noise, level and voice of recordings at random.

    Speeds are rounded to lengths with fast Fourier transforms: by 1 % on average, by at most 4 %. Sources:
    Ko et al. 2015 (speed perturbation), Jaitly & Hinton 2013 (vocal tract length perturbation).

    Args:
        speed: minimum and maximum factor; 1.1 is 10 % faster and higher in pitch.
        low_pass: minimum and maximum cut-off frequency, Hz.
        low_pass_prob: probability of the low-pass filter.
        noise_snr: minimum and maximum signal-to-noise ratio after the low-pass filter, dB.
        noise_prob: probability of noise, whose colour lies between white and brown.
        gain: minimum and maximum change of level, dB; samples may exceed -1..1.
        room_decay: minimum and maximum reverberation time of a room (60 dB), seconds.
        room_level: minimum and maximum energy of the reverberation relative to the direct sound, dB.
        room_prob: probability of a room.
        warp: minimum and maximum factor of the frequencies in the mel filters, as if of another speaker.
        warp_prob: probability of warped mel filters.
    """

    speed: tuple[float, float] = (0.9, 1.1)
    low_pass: tuple[float, float] = (3400.0, 8000.0)
    low_pass_prob: float = 0.3
    noise_snr: tuple[float, float] = (10.0, 40.0)
    noise_prob: float = 0.3
    gain: tuple[float, float] = (-12.0, 6.0)
    room_decay: tuple[float, float] = (0.1, 0.4)
    room_level: tuple[float, float] = (-15.0, 0.0)
    room_prob: float = 0.0
    warp: tuple[float, float] = (0.88, 1.12)
    warp_prob: float = 0.0

    def __post_init__(self) -> None:
        for name in ("speed", "low_pass", "noise_snr", "gain", "room_decay", "room_level", "warp"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is ({low}, {high}), but the minimum must not exceed the maximum")
        for name in ("low_pass_prob", "noise_prob", "room_prob", "warp_prob"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be in 0..1")
        for name in ("speed", "warp"):
            low, high = getattr(self, name)
            if not 0.5 <= low <= high <= 2:
                raise ValueError(f"{name} is ({low}, {high}), but must be in 0.5..2")
        if self.low_pass[0] <= 0:
            raise ValueError(f"low_pass is {self.low_pass}, but must be above 0 Hz")
        if not 0 < self.room_decay[0] <= self.room_decay[1] <= 1:
            raise ValueError(f"room_decay is {self.room_decay}, but must be above 0 and at most 1 s")

    def draw(self, generator: torch.Generator) -> Effects:
        """Draw the effects of a recording.

        Args:
            generator: source of all random numbers, see `keyed_generator`.
        """
        import torch  # not at the top: options of training are read where torch is not installed

        # Always the same draws, so that a change of noise_prob does not change speed, cut-off and gain.
        draws = torch.rand(14, generator=generator, dtype=torch.float64).tolist()
        ranges = (
            self.speed, self.low_pass, self.noise_snr, self.gain, self.room_decay, self.room_level, self.warp
        )  # fmt: skip
        speed, cut, snr, gain, decay, level, warp = (
            low + draw * (high - low) for (low, high), draw in zip(ranges, draws[:7], strict=True)
        )
        has_cut, has_noise, has_room, has_warp, colour, noise_start, room_start = draws[7:]
        return Effects(
            stretch=min(STRETCHES, key=lambda stretch: abs(stretch - STRETCH_UNIT / speed)),
            gain=gain,
            cut=cut if has_cut < self.low_pass_prob else None,
            noise=Noise(snr, 2 * colour, _offset(noise_start)) if has_noise < self.noise_prob else None,
            room=Room(decay, level, _offset(room_start)) if has_room < self.room_prob else None,
            warp=round(warp / WARP_STEP) * WARP_STEP if has_warp < self.warp_prob else 1.0,
        )


def _offset(draw: float) -> int:
    return int(draw * NOISE_SAMPLES)
