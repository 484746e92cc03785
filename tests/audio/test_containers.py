"""Formats that PyAV decodes."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audioseq import audio
from audioseq.audio import containers
from audioseq.errors import AudioError

needs_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV")
RATE = 48_000


def sine(seconds: float) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * 440 / RATE * np.arange(round(seconds * RATE))), np.float32)


def encode(path: Path, codec: str, seconds: float = 3.0, rate: int = RATE, **options: Any) -> Path:
    import av

    with av.open(str(path), "w", **options) as container:
        track: Any = container.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        resampler = av.AudioResampler(track.format.name, "mono", rate)
        samples = sine(seconds)
        for start in range(0, len(samples), 960):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 960], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            for converted in resampler.resample(frame):
                container.mux(track.encode(converted))
        container.mux(track.encode(None))
    return path


@needs_av
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.m4a", "aac"),
        ("a.mp4", "aac"),
        ("a.mov", "pcm_s16le"),
        ("b.mov", "pcm_f32le"),
        ("a.aac", "aac"),
        ("a.webm", "libopus"),
        ("a.mkv", "libopus"),
        ("a.3gp", "aac"),
        ("a.wma", "wmav2"),
        ("a.mka", "flac"),
    ],
)
def test_formats_of_ffmpeg_are_read(tmp_path: Path, name: str, codec: str) -> None:
    path = encode(tmp_path / name, codec)
    stream = audio.stream(path)
    waveform = np.concatenate(list(stream))
    assert len(waveform) / 16_000 == pytest.approx(3, abs=0.15) and not stream.warnings
    assert np.std(waveform[4000:-4000]) == pytest.approx(0.3 / 2**0.5, rel=0.05)
    assert audio.find_recordings([tmp_path]) == [path]
    part = np.concatenate(list(audio.stream(path, offset=1.0, duration=0.5)))
    assert len(part) == 8_000
    with path.open("rb") as file:
        np.testing.assert_array_equal(audio.load(file), waveform)


@needs_av
def test_a_truncated_file_is_read_with_a_warning(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.m4a", "aac", 10.0, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    stream = audio.stream(path)
    seconds = sum(map(len, stream)) / 16_000
    assert 3 < seconds < 7
    assert any(warning.startswith("truncated: the last ") for warning in stream.warnings)


@needs_av
def test_files_without_audio_are_errors(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("mpeg4", rate=10)
        track.width = track.height = 32
        frame = av.VideoFrame(32, 32, "yuv420p")
        container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with pytest.raises(AudioError, match=r"a\.mp4: has no audio track; choose"):
        audio.load(path)


@needs_av
@pytest.mark.parametrize("kind", ["m3u8", "concat"])
def test_playlists_are_refused(tmp_path: Path, kind: str) -> None:
    target = encode(tmp_path / "secret.aac", "aac")
    path = tmp_path / "a.m4a"
    if kind == "m3u8":
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{target}\n#EXT-X-ENDLIST\n")
    else:
        path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    with pytest.raises(AudioError, match="is not audio in a supported format"):
        audio.load(path)


@needs_av
def test_an_unknown_codec_is_an_error(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mov", "pcm_s16le")
    path.write_bytes(path.read_bytes().replace(b"sowt", b"q?!9"))
    with pytest.raises(AudioError, match="FFmpeg does not know its audio codec"):
        audio.load(path)


def test_without_pyav_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "available", lambda: False)
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(500))
    with pytest.raises(AudioError, match=r'pip install "audioseq\[formats\]"') as caught:
        audio.load(path)
    assert "\n" not in str(caught.value)
