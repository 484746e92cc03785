"""Channels that are silent, clipped or cancel each other, and levels that are too high or too low."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.audio import sources
from audioseq.errors import AudioError

RATE = 16_000
SPEECH = np.repeat(np.tile([0.3, 0.02, 0.2, 0.1], 10), RATE // 10) * np.random.default_rng(0).uniform(
    -1, 1, 4 * RATE
)


def mix(*channels: np.ndarray, **options: object) -> tuple[np.ndarray, list[str]]:
    stream = audio.stream_array(np.stack(channels, axis=1), RATE, **options)  # type: ignore[arg-type]
    return np.concatenate(list(stream)), stream.warnings


def test_ordinary_channels_are_averaged() -> None:
    other = np.roll(SPEECH, 700)
    waveform, warnings = mix(SPEECH, other)
    assert not warnings
    np.testing.assert_allclose(waveform, (SPEECH + other) / 2, atol=1e-6)


def test_channels_that_cancel_are_added_with_the_right_sign() -> None:
    waveform, warnings = mix(SPEECH, -SPEECH)
    np.testing.assert_allclose(np.abs(waveform), np.abs(SPEECH), atol=1e-6)
    assert warnings == ["the channels cancel each other; channel 2 is inverted (reversed polarity)"]
    waveform, warnings = mix(SPEECH, -0.7 * SPEECH + 0.2)
    assert np.std(waveform) > 0.8 * np.std(SPEECH) and warnings


def test_channels_that_cancel_in_one_half_give_the_louder_channel() -> None:
    sign = np.where(np.arange(len(SPEECH)) < len(SPEECH) // 2, 1, -1)
    waveform, warnings = mix(SPEECH, 0.9 * sign * SPEECH)
    np.testing.assert_allclose(waveform, SPEECH, atol=1e-6)
    assert warnings == ["the channels cancel each other; only channel 1 is used"]


@pytest.mark.parametrize("silent", [0.0, 0.25, 1e-4])
def test_a_silent_channel_is_left_out(silent: float) -> None:
    hum = np.full(len(SPEECH), silent) if silent == 0.25 else silent * np.roll(SPEECH, 99)
    waveform, warnings = mix(hum, SPEECH)
    np.testing.assert_allclose(waveform, SPEECH, atol=1e-6)
    assert warnings == ["channel 1 is silent; channel 2 is used"]


def test_a_clipped_channel_is_left_out_if_another_has_the_same_signal() -> None:
    integer = (SPEECH * 2**15).astype(np.int16)
    clipped = (SPEECH * 20).clip(-1, 1) * (2**15 - 1)
    waveform, warnings = mix(clipped.astype(np.int16), integer)
    np.testing.assert_allclose(waveform, SPEECH, atol=1e-4)
    assert warnings == ["channel 1 is clipped; channel 2 is used"]
    other_speaker = np.roll(integer, 12_345)
    waveform, warnings = mix(clipped.astype(np.int16), other_speaker)
    assert not warnings and np.std(waveform) > 0.2


def test_chosen_channels_are_used_as_they_are() -> None:
    right = np.roll(SPEECH, 700)
    assert np.array_equal(mix(SPEECH, right, channels="left")[0], SPEECH.astype(np.float32))
    assert np.array_equal(mix(SPEECH, right, channels="right")[0], right.astype(np.float32))
    assert np.array_equal(mix(SPEECH, right, channels=2)[0], right.astype(np.float32))
    assert np.array_equal(mix(SPEECH, channels="right")[0], SPEECH.astype(np.float32))
    for odd in ("center", 0, 3, -1):
        with pytest.raises(AudioError, match=f"has no channel {odd!r}; choose mix, .* up to 2"):
            mix(SPEECH, right, channels=odd)


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_samples_beyond_full_scale_are_scaled_down(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "a.wav"
    for factor in (20.0, 32768.0):
        sf.write(path, SPEECH * factor, RATE, subtype=subtype)
        waveform = audio.load(path)
        np.testing.assert_allclose(waveform, SPEECH / np.abs(SPEECH).max(), atol=1e-4)


def test_ordinary_levels_are_kept_and_quiet_recordings_amplified() -> None:
    for gain_db in (0, -6):
        loud = (SPEECH * 10 ** (gain_db / 20)).astype(np.float32)
        assert np.array_equal(mix(loud, amplify=True)[0], loud)
    assert np.array_equal(mix(SPEECH / 100)[0], (SPEECH / 100).astype(np.float32))
    for gain_db in (-30, -40):
        quiet = SPEECH * 10 ** (gain_db / 20)
        waveform, warnings = mix(quiet, amplify=True)
        assert 0.5 < np.std(waveform) / np.std(SPEECH) < 2
        assert bool(warnings) == (gain_db == -40)
        assert all("very quiet" in warning for warning in warnings)


def test_silence_is_not_amplified() -> None:
    for level in (0.0, 1e-5):
        noise = level * np.random.default_rng(0).uniform(-1, 1, RATE)
        assert np.array_equal(mix(noise, amplify=True)[0], noise.astype(np.float32))


def test_a_long_recording_is_judged_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio.sources, "BLOCK_SAMPLES", 20_000)
    path = tmp_path / "a.wav"
    silence = np.zeros((RATE, 2))
    sf.write(path, np.concatenate([silence, np.stack([SPEECH, -SPEECH], axis=1)]), RATE)
    stream = audio.stream(path)
    np.testing.assert_allclose(np.abs(np.concatenate(list(stream))[RATE:]), np.abs(SPEECH), atol=1e-4)
    assert len(stream.warnings) == 1


def test_split_channels_have_levels_of_their_own_and_no_crosstalk() -> None:
    stream = audio.stream_array(
        np.stack([SPEECH, 0.05 * np.roll(SPEECH, 999), 0.005 * SPEECH], axis=1),
        RATE,
        channels="split",
        amplify=True,
    )
    streams = stream.split()
    loud, quiet, crosstalk = (np.concatenate(list(each)) for each in streams)
    np.testing.assert_allclose(loud, SPEECH, atol=1e-6)
    alone = np.concatenate(list(audio.stream_array(0.05 * np.roll(SPEECH, 999), RATE, amplify=True)))
    np.testing.assert_allclose(quiet, alone, atol=1e-6)
    assert quiet.std() > 0.03 and not crosstalk.any()
    (mono,) = audio.stream_array(SPEECH, RATE, channels="split").split()
    assert mono.warnings == ["has one channel, so everything is from speaker 1"]
    np.testing.assert_allclose(np.concatenate(list(mono)), SPEECH, atol=1e-6)


def test_only_long_recordings_are_decoded_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    started = 0
    blocks = sources.ArraySource.blocks

    def counted(source: sources.ArraySource, start: float = 0.0) -> Iterator[np.ndarray]:
        nonlocal started
        started += 1
        for block in blocks(source, start):
            yield from np.array_split(block, 8)

    monkeypatch.setattr(sources.ArraySource, "blocks", counted)
    monkeypatch.setattr(audio.streams, "SURVEY_SAMPLES", 1000)
    waveforms = {}
    for kept, times in ((10 * len(SPEECH), 1), (1000, 2)):
        monkeypatch.setattr(audio.streams, "KEPT_SAMPLES", kept)
        started = 0
        waveforms[times], _ = mix(SPEECH, -0.9 * SPEECH)
        assert started == times
    np.testing.assert_array_equal(waveforms[1], waveforms[2])
