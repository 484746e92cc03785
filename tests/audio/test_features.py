"""Log-mel features compared with librosa; batches, streams and SpecAugment."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq.audio.features import LogMel, global_statistics
from audioseq.audio.mel import LOG_OFFSET
from audioseq.audio.spec_augment import Masks, SpecAugment, apply_masks
from audioseq.seeding import keyed_generator

LOG_MEL = LogMel()
LOG_MEL.set_statistics(torch.linspace(-8, -4, 80), torch.linspace(1, 3, 80))


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_mels": 40, "f_min": 0.0, "f_max": 4000.0},
        {
            "sample_rate": 8000,
            "n_fft": 256,
            "win_length": 200,
            "hop_length": 80,
            "n_mels": 30,
            "f_max": 4000.0,
        },
        {"n_fft": 1024, "win_length": 1024, "hop_length": 256},
    ],
)
@pytest.mark.filterwarnings("ignore:n_fft")  # librosa warns about short waveforms
@pytest.mark.parametrize("samples", [1, 399, 16_000, 16_159])
def test_log_mel_equals_librosa(options: dict[str, float], samples: int) -> None:
    log_mel = LogMel(**options)  # type: ignore[arg-type]
    waveform = noise(samples)
    used = log_mel.options
    mel = librosa.feature.melspectrogram(
        y=waveform.numpy(),
        sr=used["sample_rate"],
        n_fft=used["n_fft"],
        win_length=used["win_length"],
        hop_length=used["hop_length"],
        n_mels=used["n_mels"],
        fmin=used["f_min"],
        fmax=used["f_max"],
        pad_mode="constant",
    )
    features, frames = log_mel(waveform[None], torch.tensor([samples]))
    assert frames.tolist() == [mel.shape[1]] == [samples // used["hop_length"] + 1]
    np.testing.assert_allclose(features[0], np.log(mel.T + LOG_OFFSET), atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 8_000), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_batch_equals_each_waveform_alone_exactly(lengths: list[int], seed: int) -> None:
    batch = torch.full((len(lengths), max(lengths)), torch.nan)  # padding must not affect the features
    for row, length in enumerate(lengths):
        batch[row, :length] = noise(length, seed + row)
    features, frames = LOG_MEL(batch, torch.tensor(lengths))
    assert frames.dtype == torch.int64
    assert frames.tolist() == [length // 160 + 1 for length in lengths]
    assert features.shape == (len(lengths), frames.max(), 80)
    for row, length in enumerate(lengths):
        alone, _ = LOG_MEL(batch[row : row + 1, :length], torch.tensor([length]))
        assert torch.equal(features[row, : frames[row]], alone[0])
        assert not features[row, frames[row] :].any()


def test_features_of_a_whole_batch_equal_those_of_each_waveform() -> None:
    lengths = torch.tensor([12_000, 159, 16_000, 7_777])
    batch = torch.nn.utils.rnn.pad_sequence([noise(int(n), int(n)) for n in lengths], batch_first=True)
    features, frames = LOG_MEL.batch_features(batch, lengths)
    expected, expected_frames = LOG_MEL(batch, lengths)
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-4)
    assert torch.equal(frames, expected_frames)


@pytest.mark.parametrize("warp", [0.88, 1.0, 1.1])
def test_warped_features_are_those_of_other_formants(warp: float) -> None:
    """A tone is in the band of its frequency divided by the factor."""
    log_mel, time = LogMel(), torch.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * torch.tensor([[2_000.0], [2_000.0 / warp]]) * time)
    features, _ = log_mel.batch_features(tone, torch.tensor([16_000] * 2), [warp, 1.0])
    bands = features[:, 50].argmax(1)
    assert bands[0] == pytest.approx(bands[1], abs=1)
    assert features[0, 50].max().item() == pytest.approx(features[1, 50].max().item(), abs=0.6)


def test_a_frame_depends_only_on_its_window() -> None:
    """A stream can compute each frame as soon as its samples are available."""
    whole = LOG_MEL.log_energies(noise(16_000))
    first_half = LOG_MEL.log_energies(noise(16_000)[:8_000])
    complete = (8_000 - 200) // 160 + 1
    torch.testing.assert_close(first_half[:complete], whole[:complete])


def test_silence_is_finite_and_has_gradients() -> None:
    waveform = torch.zeros(1, 1600, requires_grad=True)
    features, _ = LogMel()(waveform, torch.tensor([1600]))
    assert features.detach().unique().tolist() == pytest.approx([np.log(LOG_OFFSET)])
    features.sum().backward()
    assert waveform.grad is not None and waveform.grad.isfinite().all()


def test_autocast_does_not_affect_features() -> None:
    waveform, lengths = noise(16_000)[None], torch.tensor([16_000])
    with torch.autocast("cpu", torch.bfloat16):
        features, _ = LOG_MEL(waveform, lengths)
    assert torch.equal(features, LOG_MEL(waveform, lengths)[0])


def test_state_dict_contains_only_statistics() -> None:
    assert set(LOG_MEL.state_dict()) == {"mean", "std"}
    copy = LogMel(**LOG_MEL.options)
    copy.load_state_dict(LOG_MEL.state_dict())
    waveform, lengths = noise(1_000)[None], torch.tensor([1_000])
    assert torch.equal(copy(waveform, lengths)[0], LOG_MEL(waveform, lengths)[0])


def test_global_statistics_normalise_features() -> None:
    waveforms = [noise(length, length).numpy() * 10 for length in (8_000, 333, 24_000)]
    log_mel = LogMel()
    log_mel.set_statistics(*global_statistics(log_mel, iter(waveforms)))
    frames = torch.cat([log_mel(torch.tensor(w)[None], torch.tensor([len(w)]))[0][0] for w in waveforms])
    torch.testing.assert_close(frames.mean(0), torch.zeros(80), atol=1e-4, rtol=0)
    torch.testing.assert_close(frames.std(0, unbiased=False), torch.ones(80), atol=1e-3, rtol=0)


def test_global_statistics_do_not_amplify_constant_bands() -> None:
    _, std = global_statistics(LogMel(), [np.zeros(1600, np.float32)])
    assert (std == 0.1).all()
    with pytest.raises(ValueError, match="at least one waveform"):
        global_statistics(LogMel(), [])


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 400),
    bands=st.integers(1, 100),
    key=st.text(max_size=3),
    masks=st.builds(SpecAugment, st.integers(0, 3), st.integers(0, 20), st.floats(0, 2), st.integers(0, 40)),
)
def test_masks_are_whole_bands_and_frames(frames: int, bands: int, key: str, masks: SpecAugment) -> None:
    features = torch.rand(frames, bands) + 1
    before = features.clone()
    drawn = masks.draw(frames, bands, keyed_generator(0, 0, key))
    assert drawn == masks.draw(frames, bands, keyed_generator(0, 0, key))
    both = apply_masks(
        torch.stack([features, features]), [drawn, masks.draw(0, 0, keyed_generator(0, 0, ""))]
    )
    masked = both[0]
    assert torch.equal(features, before) and torch.equal(both[1], features)
    hidden = masked == 0
    assert torch.equal(masked[~hidden], features[~hidden])
    hidden_bands, hidden_frames = hidden.all(0), hidden.all(1)
    if not hidden_frames.all() and not hidden_bands.all():
        assert torch.equal(hidden, hidden_bands | hidden_frames[:, None])
        assert hidden_bands.sum() <= masks.freq_masks * masks.freq_width
        max_masks = np.ceil(frames / 100 * masks.time_masks_per_second)
        assert hidden_frames.sum() <= max_masks * masks.time_width


def hidden_frames(frames: int, masks: Masks) -> int:
    return int((apply_masks(torch.ones(1, frames, 4), [masks])[0, :, 0] == 0).sum())


def test_time_masks_are_proportional_to_the_length() -> None:
    masks = SpecAugment(freq_masks=0, time_masks_per_second=0.5, time_width=10)
    hidden = [
        hidden_frames(frames, masks.draw(frames, 4, keyed_generator(0, 0, str(key))))
        for frames in (150, 1500)
        for key in range(300)
    ]
    mean_width = 10 / 2
    assert np.mean(hidden[:300]) == pytest.approx(0.75 * mean_width, rel=0.15)
    assert np.mean(hidden[300:]) == pytest.approx(7.5 * mean_width, rel=0.15)


def test_negative_mask_options_are_rejected() -> None:
    with pytest.raises(ValueError, match="time_width is -1, but must be at least 0"):
        SpecAugment(time_width=-1)
