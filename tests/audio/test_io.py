"""Decoding of all formats, sample rates and channel counts, and one-line messages for bad input."""

from __future__ import annotations

import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audioseq import audio
from audioseq.errors import AudioError, FileError

ADVICE = r"; (check|record|export|convert|use|copy|name|looked|choose) "


def sine(rate: int, seconds: float = 0.5, frequency: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


def write_wav(path: Path, content: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16") -> Path:
    sf.write(path, content, rate, subtype=subtype)
    return path


@pytest.mark.parametrize(
    ("suffix", "container", "subtype", "tolerance"),
    [
        ("wav", "WAV", "PCM_U8", 1e-2),
        ("wav", "WAV", "PCM_16", 1e-4),
        ("wav", "WAV", "PCM_24", 1e-6),
        ("wav", "WAV", "PCM_32", 1e-7),
        ("wav", "WAV", "FLOAT", 0),
        ("wav", "WAV", "DOUBLE", 0),
        ("wav", "WAV", "ULAW", 2e-2),
        ("wav", "WAVEX", "PCM_16", 1e-4),
        ("flac", "FLAC", "PCM_S8", 1e-2),
        ("flac", "FLAC", "PCM_16", 1e-4),
        ("flac", "FLAC", "PCM_24", 1e-6),
        ("aiff", "AIFF", "PCM_16", 1e-4),
        ("au", "AU", "PCM_16", 1e-4),
        ("caf", "CAF", "PCM_16", 1e-4),
        ("w64", "W64", "PCM_16", 1e-4),
        ("rf64", "RF64", "PCM_16", 1e-4),
        ("ogg", "OGG", "VORBIS", 0.05),
        ("opus", "OGG", "OPUS", 0.05),
        ("mp3", "MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_reads_every_format(
    tmp_path: Path, suffix: str, container: str, subtype: str, tolerance: float
) -> None:
    expected = sine(16_000)
    path = tmp_path / f"a.{suffix}"
    sf.write(path, expected, 16_000, format=container, subtype=subtype)
    waveform, rate = audio.read(path)
    assert rate == 16_000 and waveform.dtype == np.float32
    assert len(waveform) == len(expected)
    inside = slice(800, -800)  # lossy codecs are inaccurate at the ends
    np.testing.assert_allclose(waveform[inside], expected[inside], atol=tolerance, rtol=0)
    assert audio.find_recordings([tmp_path]) == [path]


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 44_101, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_resamples_and_mixes_down(tmp_path: Path, rate: int, channels: int) -> None:
    gains = np.linspace(0.5, 1.5, channels) if channels > 1 else np.ones(1)  # their mean is 1
    path = write_wav(tmp_path / "a.wav", sine(rate)[:, None] * gains / 2, rate, "FLOAT")
    waveform = audio.load(path)
    assert waveform.dtype == np.float32
    assert len(waveform) == round(len(sine(rate)) * 16_000 / rate)
    expected = sine(16_000)[: len(waveform)] / 2
    inside = slice(400, -400)
    np.testing.assert_allclose(waveform[inside], expected[inside], atol=1e-3)


def test_resampling_does_not_alias() -> None:
    waveform = audio.convert(sine(48_000, frequency=10_000), 48_000)
    assert np.abs(waveform[400:-400]).max() < 1e-3


def test_reads_a_long_recording_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio.sources, "BLOCK_SAMPLES", 1000)
    stereo = np.random.default_rng(0).uniform(-1, 1, (12_345, 2)).astype(np.float32)
    waveform, _ = audio.read(write_wav(tmp_path / "a.wav", stereo, subtype="FLOAT"))
    np.testing.assert_array_equal(waveform, stereo.mean(axis=1))


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 16_000, 44_100, 48_000]),
    samples=st.integers(1, 20_000),
    block=st.integers(1, 30_000),
)
def test_stream_equals_the_whole_recording(
    tmp_path_factory: pytest.TempPathFactory, rate: int, samples: int, block: int
) -> None:
    path = tmp_path_factory.mktemp("stream") / "a.wav"
    content = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    write_wav(path, content, rate, "FLOAT")
    whole = soxr.resample(content, rate, 16_000) if rate != 16_000 else content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio.sources, "BLOCK_SAMPLES", max(block, samples // 50))
        stream = audio.stream(path)
        blocks = list(stream)
    assert stream.seconds == samples / rate
    np.testing.assert_allclose(np.concatenate(blocks)[: len(whole)], whole, atol=1e-4)
    assert sum(map(len, blocks)) == max(1, len(whole))


def test_the_duration_of_a_part_ends_with_the_recording(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.zeros(24_000, np.float32))
    assert audio.stream(path, duration=60.0).seconds == 1.5
    assert audio.stream(path, offset=0.5).seconds == 1.0
    assert audio.stream(path, offset=0.5, duration=0.25).seconds == 0.25


class Pipe(io.BytesIO):
    """File object that cannot seek, like standard input."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_reads_a_file_object(tmp_path: Path, kind: type[io.BytesIO]) -> None:
    path = write_wav(tmp_path / "a.wav", sine(16_000))
    waveform, _ = audio.read(kind(path.read_bytes()))
    np.testing.assert_array_equal(waveform, audio.read(path)[0])
    with pytest.raises(AudioError, match="audio stream: is empty; "):
        audio.read(kind(b""))
    with pytest.raises(AudioError, match="audio stream: is not audio "):
        audio.read(kind(b"words" * 100))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_reads_a_named_pipe(tmp_path: Path) -> None:
    content = write_wav(tmp_path / "a.wav", sine(16_000)).read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    waveform, _ = audio.read(tmp_path / "pipe")
    writer.join()
    assert len(waveform) == 8_000


def missing(folder: Path) -> Path:
    return folder / "missing.wav"


def directory(folder: Path) -> Path:
    return folder


def null_character(folder: Path) -> Path:
    return folder / "a\0.wav"


def empty(folder: Path) -> Path:
    (folder / "a.wav").touch()
    return folder / "a.wav"


def zero_samples(folder: Path) -> Path:
    return write_wav(folder / "a.wav", np.zeros(0))


def text(folder: Path) -> Path:
    (folder / "a.wav").write_text("It was a dark and stormy night. " * 50)
    return folder / "a.wav"


def headerless(folder: Path) -> Path:
    (folder / "a.raw").write_bytes(bytes(1000))
    return folder / "a.raw"


def not_a_number(folder: Path) -> Path:
    waveform = sine(16_000)
    waveform[4000] = np.nan
    return write_wav(folder / "a.wav", waveform, subtype="FLOAT")


def infinite(folder: Path) -> Path:
    waveform = sine(16_000)
    waveform[4000] = -np.inf
    return write_wav(folder / "a.wav", waveform, subtype="FLOAT")


def rate_of_1_hz(folder: Path) -> Path:
    path = write_wav(folder / "a.wav", sine(16_000))
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 1)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "no such file"),
        (directory, "is a directory"),
        (null_character, "cannot be opened"),
        (empty, "is empty"),
        (zero_samples, "has no samples"),
        (text, "is not audio"),
        (headerless, "is not audio"),
        (not_a_number, "has NaN or infinite samples from 0.25 s on"),
        (infinite, "has NaN or infinite samples from 0.25 s on"),
        (rate_of_1_hz, "has a sample rate of 1 Hz"),
    ],
)
def test_bad_input_gives_a_one_line_message(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(AudioError, match=ADVICE) as caught:
        audio.load(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000, 768_000])
@pytest.mark.parametrize("seconds", [0, 0.05])
def test_very_short_recordings(tmp_path: Path, rate: int, seconds: float) -> None:
    samples = max(1, round(rate * seconds))
    waveform = audio.load(write_wav(tmp_path / "a.wav", np.full(samples, 0.5), rate))
    assert len(waveform) == max(1, round(samples * 16_000 / rate))
    assert waveform[len(waveform) // 2] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("dtype", "full"),
    [(np.int16, 32768), (np.int32, 2**31), (np.float16, 1), (np.float32, 1), (np.float64, 1)],
)
def test_convert_scales_by_dtype(dtype: type[np.generic], full: int) -> None:
    samples = (np.array([0, 0.5, -1, 0.25]) * full).astype(dtype)
    np.testing.assert_array_equal(audio.convert(samples, 16_000), np.array([0, 0.5, -1, 0.25], np.float32))


def test_convert_accepts_unsigned_bytes_tensors_and_lists() -> None:
    np.testing.assert_array_equal(audio.convert(np.array([128, 192, 0], np.uint8), 16_000), [0, 0.5, -1])
    np.testing.assert_array_equal(audio.convert(torch.ones(3, requires_grad=True), 16_000), [1, 1, 1])
    np.testing.assert_array_equal(audio.convert([0.0, 0.5], 16_000), [0, 0.5])


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(9, 300), channels=st.integers(1, 8), rate=st.integers(1_000, 200_000))
def test_convert_detects_the_channel_axis(samples: int, channels: int, rate: int) -> None:
    both = np.random.default_rng(samples).uniform(-1, 1, (samples, channels)).astype(np.float32)
    one = audio.convert(both.mean(axis=1), rate)
    assert len(one) == pytest.approx(max(1, samples * 16_000 / rate), abs=1)
    np.testing.assert_allclose(audio.convert(both, rate), one, atol=1e-6)
    np.testing.assert_allclose(audio.convert(both.T, rate), one, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(0), 16_000, "has no samples"),
        (np.zeros((0, 2)), 16_000, "has no samples"),
        (np.zeros((2, 2, 2)), 16_000, "has 3 dimensions"),
        (np.float32(1), 16_000, "has 0 dimensions"),
        (np.array([0, np.nan]), 16_000, "has NaN or infinite samples"),
        (np.zeros(9), 0, "has a sample rate of 0 Hz"),
        (np.zeros(9), -16_000, "has a sample rate of -16000 Hz"),
        (np.zeros(9, np.int64), 16_000, "has dtype int64"),
        (np.array(["a"]), 16_000, "has dtype <U1"),
    ],
)
def test_convert_rejects_invalid_waveforms(samples: np.ndarray, rate: int, message: str) -> None:
    with pytest.raises(AudioError, match=f"waveform .*: {message}.*; (pass|use|record|export) "):
        audio.convert(samples, rate)


def test_find_recordings_returns_given_files_and_sorted_audio_files_of_directories(tmp_path: Path) -> None:
    for name in ("b/2.FLAC", "b/1.wav", "a.opus", "notes.txt", "b/c/0.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given_first = tmp_path / "notes.txt"
    inside = [tmp_path / name for name in ("a.opus", "b/1.wav", "b/2.FLAC", "b/c/0.mp3")]
    assert audio.find_recordings([given_first, str(tmp_path)]) == [given_first, *inside]


def test_find_recordings_rejects_a_directory_without_audio(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(AudioError, match=r"no audio files in this directory; looked for .*wav"):
        audio.find_recordings([tmp_path])


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_written_audio_is_read_back(tmp_path: Path, suffix: str) -> None:
    waveform = sine(22_050) * 3  # clipped, not wrapped
    audio.write(tmp_path / f"a{suffix}", waveform, 22_050)
    back, rate = audio.read(tmp_path / f"a{suffix}")
    assert rate == 22_050
    np.testing.assert_allclose(back, waveform.clip(-1, 1), atol=1e-4)


def test_written_mp3_is_nearly_the_same(tmp_path: Path) -> None:
    waveform = sine(22_050) / 2
    audio.write(tmp_path / "a.MP3", waveform, 22_050)
    back, _ = audio.read(tmp_path / "a.MP3")
    np.testing.assert_allclose(back[4000:-4000], waveform[4000:-4000], atol=0.05)


def test_write_rejects_other_formats_and_missing_directories(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"cannot write \.aac; use \.wav, \.flac or \.mp3"):
        audio.write(tmp_path / "a.aac", sine(16_000))
    with pytest.raises(AudioError, match=r"cannot be written .*; use .wav"):
        audio.write(tmp_path / "a.flac", sine(16_000), 2_000_000)
    with pytest.raises(FileError, match=r"cannot be written .*; check"):
        audio.write(tmp_path / "nowhere" / "a.wav", sine(16_000))
    assert not list(tmp_path.iterdir())
