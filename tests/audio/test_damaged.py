"""Truncated, streamed, joined and damaged recordings: what is there is read, and what is missing is named."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from audioseq import audio
from audioseq.audio import headers
from audioseq.errors import AudioError
from tests.fuzz import formats

RATE = 16_000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, round(seconds * RATE)).clip(-1, 1).astype(np.float32)


def save(path: Path, samples: np.ndarray, rate: int = RATE, **options: object) -> bytes:
    if path.suffix == ".opus":
        options = {"format": "OGG", "subtype": "OPUS", **options}
    sf.write(path, samples, rate, **options)
    return path.read_bytes()


def listen(path: Path) -> tuple[float, list[str]]:
    """Return the seconds that are decoded, and the warnings."""
    stream = audio.stream(path)
    return sum(map(len, stream)) / RATE, stream.warnings


def test_an_undamaged_recording_has_no_warnings(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "opus", "mp3", "aiff", "au", "caf", "w64", "rf64"):
        path = tmp_path / f"a.{suffix}"
        save(path, noise(3))
        assert listen(path) == (3.0, []), suffix


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "au", "w64", "rf64", "mp3"])
def test_a_truncated_recording_names_the_missing_seconds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    content = save(path, noise(10))
    path.write_bytes(content[: len(content) // 2])
    seconds, warnings = listen(path)
    assert 4 < seconds < 6
    (warning,) = warnings
    missing = float(warning.partition(" s of ")[0].split()[-1])
    assert seconds + missing == pytest.approx(10, abs=0.2)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_a_truncated_ogg_file_is_read_with_a_warning(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    content = save(path, noise(10))
    path.write_bytes(content[: len(content) // 2])
    seconds, warnings = listen(path)
    assert 3 < seconds < 6
    assert warnings == [f"truncated after {seconds:.2f} s: its end is missing"]


def test_a_flac_file_without_a_whole_frame_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(save(path, noise(10))[:300])
    with pytest.raises(AudioError):
        audio.load(path)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_audio_after_damage_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    content = bytearray(save(path, noise(20)))
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    seconds, warnings = listen(path)
    assert "damaged" in warnings[0]
    if suffix == "flac":
        assert seconds == 20.0
        np.testing.assert_allclose(audio.load(path)[-RATE:], noise(20)[-RATE:], atol=1e-3)
    else:
        assert 19 < seconds < 20


@pytest.mark.parametrize("size", [0, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_with_a_wrong_data_size_is_read_to_its_end(
    tmp_path: Path, size: int, channels: int
) -> None:
    path = tmp_path / "a.wav"
    content = bytearray(save(path, np.repeat(noise(3)[:, None], channels, axis=1)))
    content[4:8] = content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    assert listen(path) == (3.0, [])


def test_chunks_after_the_samples_are_not_audio(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    content = save(path, noise(1))
    path.write_bytes(content + b"LIST" + struct.pack("<I", 1000) + b"INFO".ljust(1000, b"x"))
    assert listen(path) == (1.0, [])
    path.write_bytes(content + bytes(1000))
    assert listen(path) == (1.0, [])


def test_a_flac_file_of_unknown_length_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    content = bytearray(save(path, noise(10)))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert listen(path) == (10.0, [])
    monkeypatch.setattr(audio.sources, "BLOCK_SAMPLES", 10_000)
    assert listen(path) == (10.0, [])
    np.testing.assert_allclose(audio.load(path), noise(10), atol=1e-4)


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus", "mp3"])
def test_joined_recordings_are_read_to_the_end(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    parts = [save(path, noise(seconds)) for seconds in (4, 3, 2)]
    path.write_bytes(b"".join(parts))
    seconds, warnings = listen(path)
    assert seconds == pytest.approx(9, abs=0.3) and not warnings
    if suffix != "mp3":
        rest = sum(map(len, audio.stream(path, offset=5.0))) / RATE
        assert rest == pytest.approx(seconds - 5, abs=0.01)


def test_links_of_other_formats_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    stereo = np.repeat(noise(2)[:, None], 2, axis=1)
    path.write_bytes(save(path, noise(3)) + save(path, np.repeat(stereo, 2, axis=0), 32_000))
    assert listen(path)[0] == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_an_ogg_file_without_intact_codebooks_is_an_error(tmp_path: Path, offset: float) -> None:
    path = tmp_path / "a.ogg"
    content = save(path, noise(0.6))
    codebooks = formats.ogg(content).cuts[3] + 200  # in the second page
    path.write_bytes(formats.seal_ogg(content[:codebooks] + bytes(20) + content[codebooks + 20 :]))
    with pytest.raises(AudioError, match=r"has no samples|ends before"):
        list(audio.stream(path, offset=offset))  # libsndfile crashes when it seeks in this file


def test_links_of_impossible_rates_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.ogg"
    content = save(path, noise(1))
    at = content.index(b"\x01vorbis") + 12
    slow = formats.seal_ogg(content[:at] + struct.pack("<I", 1) + content[at + 4 :], serial=2)
    path.write_bytes(content + slow)
    with pytest.raises(AudioError, match="its parts have sample rates of 1 to 16000 Hz"):
        audio.load(path)


def test_an_mp3_file_of_variable_bit_rate_without_a_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    samples = np.concatenate([noise(5), np.zeros(20 * RATE)])
    content = save(path, samples, bitrate_mode="VARIABLE", compression_level=0.0)
    path.write_bytes(content[headers._mpeg_frame_bytes(content[:4]) :])
    seconds, warnings = listen(path)
    assert seconds == pytest.approx(25, abs=0.1) and not warnings


def test_gsm_recordings_and_parts_of_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, noise(4)[: 4 * 8000], 8_000, subtype="GSM610")
    assert len(audio.load(path)) == pytest.approx(4 * RATE, abs=700)
    part = audio.stream(path, offset=1.0, duration=2.0)
    assert sum(map(len, part)) == 2 * RATE
    with pytest.raises(AudioError, match="correct its offset"):
        list(audio.stream(path, offset=9.0))


@pytest.mark.parametrize(
    "name", [lambda: b"caf\xe9.wav".decode("utf-8", "surrogateescape"), lambda: "a\tb\nc.wav"]
)
def test_any_file_name_is_read(tmp_path: Path, name: Callable[[], str]) -> None:
    path = tmp_path / name()
    try:
        path.write_bytes(save(tmp_path / "a.wav", noise(1)))
    except (OSError, UnicodeError):
        pytest.skip("the file system refuses the name")
    assert listen(path) == (1.0, [])


def test_libmpg123_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp3"
    content = bytearray(save(path, noise(20)))
    content[10_000:14_000] = np.random.default_rng(0).bytes(4_000)
    path.write_bytes(content[:-20_000])
    assert listen(path)[1]
    assert capfd.readouterr().err == ""
