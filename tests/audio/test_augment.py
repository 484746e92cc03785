"""Waveform augmentation, measured in the spectrum of the output and compared with SciPy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from audioseq.audio import effects as effects_module
from audioseq.audio.augment import STRETCH_UNIT, Effects, Noise, Room, WaveAugment
from audioseq.audio.effects import apply_effects
from audioseq.seeding import keyed_generator

RATE = 16_000


def augmented(augment: WaveAugment, waveform: Tensor, generator: torch.Generator) -> Tensor:
    """Return a single augmented waveform."""
    return apply_effects(waveform[None], [len(waveform)], [augment.draw(generator)])[0][0]


def only(**options: Any) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Return an augmentation with only the given options enabled."""
    off: dict[str, Any] = {"speed": (1, 1), "low_pass_prob": 0, "noise_prob": 0, "gain": (0, 0)}
    return partial(augmented, WaveAugment(**off | options))


def noise(samples: int = RATE) -> Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(0))


def smooth_noise(samples: int) -> Tensor:
    """Return noise without frequencies above 5 kHz that fades in and out."""
    filtered = scipy.signal.filtfilt(*scipy.signal.butter(8, 5_000, fs=RATE), noise(samples).numpy())
    return torch.from_numpy(filtered.astype(np.float32)) * torch.hann_window(samples)


def sine(frequency: float, samples: int = RATE) -> Tensor:
    return torch.sin(2 * torch.pi * frequency / RATE * torch.arange(samples))


def power(waveform: Tensor) -> np.ndarray:
    """Return the power in bins of 1 Hz, with a window that reduces spectral leakage."""
    return np.abs(np.fft.rfft(waveform.numpy() * np.blackman(len(waveform)), RATE * 4)[::4]) ** 2


def test_disabled_augmentation_is_the_identity() -> None:
    for samples in (1, 7, 1000, 12_345):
        torch.testing.assert_close(only()(noise(samples), keyed_generator(0, 0, "")), noise(samples))


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
    always = WaveAugment(noise_prob=1, low_pass_prob=1, room_prob=1)
    changed = augmented(always, torch.zeros(RATE), keyed_generator(0, 0, ""))
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
    changed = augmented(WaveAugment(), waveform, keyed_generator(1, epoch, key))
    assert changed.dtype == torch.float32 and changed.isfinite().all()
    # Speeds of 0.9 to 1.1, rounded by at most 4 %.
    assert samples / 1.1 / 1.04 - 1 <= len(changed) <= samples / 0.9 * 1.04 + 1
    assert torch.equal(changed, augmented(WaveAugment(), waveform, keyed_generator(1, epoch, key)))
    assert torch.equal(waveform, before)


EFFECTS = st.builds(
    Effects,
    stretch=st.sampled_from([180, 189, 200, 216, 225]),
    gain=st.floats(-24, 6),
    cut=st.none() | st.floats(3400, 8000),
    noise=st.none() | st.builds(Noise, st.floats(5, 40), st.floats(0, 2), st.integers(0, 2**20 - 1)),
    room=st.none() | st.builds(Room, st.floats(0.1, 0.4), st.floats(-15, 0), st.integers(0, 2**20 - 1)),
)


@settings(max_examples=15, deadline=None)
@given(cases=st.lists(st.tuples(st.integers(1_000, 20_000), EFFECTS), min_size=2, max_size=5))
def test_a_batch_equals_each_waveform_alone(cases: list[tuple[int, Effects]]) -> None:
    waveforms = [smooth_noise(samples) for samples, _ in cases]
    padded = torch.nn.utils.rnn.pad_sequence(waveforms, batch_first=True)
    lengths = [samples for samples, _ in cases]
    batch, changed = apply_effects(padded, lengths, [each for _, each in cases])
    for row, (waveform, (samples, each)) in enumerate(zip(waveforms, cases, strict=True)):
        alone, (length,) = apply_effects(waveform[None], [samples], [each])
        assert changed[row] == length == alone.shape[1] == each.length(samples)
        # The ringing of filters depends on the length of the transform; that of short noise is at -57 dB.
        assert (batch[row, :length] - alone[0]).norm() < 4e-3 * alone.norm()
        assert not batch[row, length:].any()


@pytest.mark.parametrize("stretch", [150, 180, 189, 200, 224])
def test_stretched_waveforms_equal_those_of_scipy(stretch: int) -> None:
    waveform = smooth_noise(5_900)
    size = effects_module._transform_size(5_900 + effects_module.GUARD_SAMPLES)
    expected = scipy.signal.resample(
        np.pad(waveform.numpy(), (0, size - 5_900)), size * stretch // STRETCH_UNIT
    )
    got, (length,) = apply_effects(waveform[None], [5_900], [Effects(stretch)])
    np.testing.assert_allclose(got[0], expected[:length], atol=1e-5)


def test_a_room_is_a_convolution_that_keeps_the_level() -> None:
    room = Effects(room=Room(decay=0.3, level=-3, offset=77))
    waveform = noise(8_000)
    click = torch.zeros(1, 8_000)
    click[0, 0] = 1.0
    response = apply_effects(click, [8_000], [room])[0][0]
    assert response.square().sum().item() == pytest.approx(1, rel=1e-3)
    direct, rest = response[0].square(), response[1:].square().sum()
    assert 10 * torch.log10(rest / direct).item() == pytest.approx(-3, abs=0.1)
    early, late = response[160:1_760].square().sum(), response[1_760:3_360].square().sum()
    assert 10 * torch.log10(early / late).item() == pytest.approx(60 / 0.3 * 0.1, abs=1)
    expected = scipy.signal.fftconvolve(waveform.numpy(), response.numpy())[:8_000]
    got = apply_effects(waveform[None], [8_000], [room])[0][0]
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_draws_have_the_given_distribution() -> None:
    augment = WaveAugment(noise_prob=0.4, room_prob=0.2, warp_prob=0.5)
    drawn = [augment.draw(keyed_generator(0, 0, str(key))) for key in range(2_000)]
    speeds = np.array([STRETCH_UNIT / each.stretch for each in drawn])
    assert 0.88 < speeds.min() < 0.92 and 1.08 < speeds.max() < 1.12
    # That of a uniform distribution over 0.9..1.1: 0.2 / sqrt(12).
    assert speeds.mean() == pytest.approx(1, abs=0.01) and speeds.std() == pytest.approx(0.058, abs=0.008)
    for name, share in {"cut": 0.3, "noise": 0.4, "room": 0.2}.items():
        assert np.mean([getattr(each, name) is not None for each in drawn]) == pytest.approx(share, abs=0.04)
    warps = [each.warp for each in drawn if each.warp != 1]
    assert len(warps) == pytest.approx(980, abs=90)
    assert 0.88 <= min(warps) < 0.9 and 1.1 < max(warps) <= 1.12
    gains = np.array([each.gain for each in drawn])
    assert gains.mean() == pytest.approx(-3, abs=0.4) and gains.std() == pytest.approx(18 / 12**0.5, abs=0.3)


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
        ({"room_decay": (0, 0.3)}, "room_decay .* must be above 0"),
        ({"warp": (0.9, 3)}, "warp .* must be in 0.5..2"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WaveAugment(**options)
