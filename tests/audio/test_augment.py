"""Waveform augmentation, measured in the spectrum of the output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from audioseq.audio.augment import WaveAugment
from audioseq.seeding import keyed_generator

RATE = 16_000


def only(**options: Any) -> WaveAugment:
    """Return an augmentation with only the given options enabled."""
    off: dict[str, Any] = {"speed": (1, 1), "low_pass_prob": 0, "noise_prob": 0, "gain": (0, 0)}
    return WaveAugment(**off | options)


def noise(samples: int = RATE) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(0))


def sine(frequency: float, samples: int = RATE) -> Tensor:
    return torch.sin(2 * torch.pi * frequency / RATE * torch.arange(samples))


def power(waveform: Tensor) -> np.ndarray:
    """Return the power in bins of 1 Hz, with a window that reduces spectral leakage."""
    return np.abs(np.fft.rfft(waveform.numpy() * np.blackman(len(waveform)), RATE * 4)[::4]) ** 2


def test_disabled_augmentation_is_the_identity() -> None:
    for samples in (1, 7, 1000, 12_345):
        torch.testing.assert_close(only()(noise(samples), keyed_generator(0, 0, "")), noise(samples))
    assert len(only()(torch.zeros(0), keyed_generator(0, 0, ""))) == 0


@pytest.mark.parametrize("speed", [0.5, 0.9, 1.0, 1.07, 1.1, 2.0])
@pytest.mark.parametrize("frequency", [300, 2500])
def test_speed_changes_pitch_and_duration_by_the_same_factor(speed: float, frequency: float) -> None:
    faster = only(speed=(speed, speed))(sine(frequency), keyed_generator(0, 0, ""))
    factor = RATE / len(faster)
    assert factor == pytest.approx(speed, rel=0.02)
    assert np.argmax(power(faster)) == pytest.approx(frequency * factor, abs=1)
    middle = faster[1000:-1000]
    assert middle.square().mean().item() == pytest.approx(0.5, rel=0.01)


def test_speed_does_not_alias() -> None:
    faster = only(speed=(2, 2))(sine(6000), keyed_generator(0, 0, ""))
    assert faster[500:-500].abs().max() < 1e-2


@pytest.mark.parametrize("cut", [3400, 5000, 7500])
def test_low_pass_removes_frequencies_above_the_cutoff(cut: float) -> None:
    narrow = only(low_pass=(cut, cut), low_pass_prob=1)(noise(), keyed_generator(0, 0, ""))
    before, after = power(noise()), power(narrow)
    assert after[cut + 50 :].sum() < 1e-6 * before[cut + 50 :].sum()
    keep = round(cut * 0.93)
    np.testing.assert_allclose(after[50:keep], before[50:keep], rtol=0.05, atol=1e-3 * before.mean())


@pytest.mark.parametrize("snr", [0, 10, 25, 40])
@pytest.mark.parametrize("key", "abcd")
def test_noise_has_the_given_level(snr: float, key: str) -> None:
    speech = torch.cat([noise(3 * RATE), torch.zeros(RATE)])
    noisy = only(noise_snr=(snr, snr), noise_prob=1)(speech, keyed_generator(0, 0, key))
    added = noisy - speech
    measured = 10 * torch.log10(speech.square().mean() / added.square().mean()).item()
    assert measured == pytest.approx(snr, abs=0.7)
    assert added[-RATE:].square().mean() == pytest.approx(added[:RATE].square().mean(), rel=0.5)


def test_noise_is_low_pass_filtered() -> None:
    noisy = only(noise_prob=1, noise_snr=(0, 0), low_pass=(4000, 4000), low_pass_prob=1)
    spectrum = power(noisy(noise(), keyed_generator(0, 0, "")))
    assert spectrum[4050:].sum() < 1e-6 * spectrum.sum()


def test_noise_colour_varies() -> None:
    tilts = []
    for key in "abcdefghij":
        noisy = only(noise_prob=1, noise_snr=(10, 10))(noise(), keyed_generator(0, 0, key))
        added = power(noisy - noise())
        tilts.append(10 * np.log10(added[100:1000].mean() / added[4000:8000].mean()))
    assert min(tilts) > -3 and min(tilts) < 8 and max(tilts) > 15


def test_silence_is_unchanged() -> None:
    changed = WaveAugment(noise_prob=1, low_pass_prob=1)(torch.zeros(RATE), keyed_generator(0, 0, ""))
    assert not changed.any()


@pytest.mark.parametrize("gain", [-12, 6])
def test_gain_scales_the_waveform(gain: float) -> None:
    louder = only(gain=(gain, gain))(noise(), keyed_generator(0, 0, ""))
    torch.testing.assert_close(louder, noise() * 10 ** (gain / 20))


def test_noise_probability_does_not_affect_the_other_draws() -> None:
    """A comparison with and without noise keeps speed, cut-off and gain equal."""
    changed = 0
    for key in map(str, range(200)):
        plain = only(speed=(0.9, 1.1))(noise(800), keyed_generator(0, 0, key))
        noisy = only(speed=(0.9, 1.1), noise_prob=0.3)(noise(800), keyed_generator(0, 0, key))
        assert len(plain) == len(noisy)
        changed += not torch.equal(plain, noisy)
    assert 40 <= changed <= 80


@settings(max_examples=30, deadline=None)
@given(samples=st.integers(1, 5_000), key=st.text(max_size=5), epoch=st.integers(0, 9))
def test_augmentation_is_finite_and_reproducible_for_any_length(samples: int, key: str, epoch: int) -> None:
    waveform = noise(samples)
    before = waveform.clone()
    changed = WaveAugment()(waveform, keyed_generator(1, epoch, key))
    assert changed.dtype == torch.float32 and changed.isfinite().all()
    # Speeds of 0.9 to 1.1, and lengths rounded up by at most 10 %.
    assert samples / 1.1 / 1.1 - 1 <= len(changed) <= samples / 0.9 * 1.1 + 1
    assert torch.equal(changed, WaveAugment()(waveform, keyed_generator(1, epoch, key)))
    assert torch.equal(waveform, before)


def test_generators_depend_only_on_their_keys() -> None:
    keys = [(seed, epoch, name) for seed in (0, 1) for epoch in (0, 1) for name in ("a", "b", "1/a")]
    in_order = {key: torch.rand(3, generator=keyed_generator(*key)).tolist() for key in keys}
    torch.manual_seed(5)
    reverse = {key: torch.rand(3, generator=keyed_generator(*key)).tolist() for key in reversed(keys)}
    assert in_order == reverse
    assert len({tuple(draws) for draws in in_order.values()}) == len(keys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"speed": (1.1, 0.9)}, "speed .* minimum must not exceed the maximum"),
        ({"speed": (0.1, 1)}, "speed .* must be in 0.5..2"),
        ({"noise_prob": 1.5}, "noise_prob is 1.5, but must be in 0..1"),
        ({"low_pass": (0, 4000)}, "low_pass .* must be above 0 Hz"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WaveAugment(**options)
