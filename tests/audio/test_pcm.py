"""Samples on a pipe: raw, WAV of programs that cannot seek back, joined files, and what is neither."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audioseq.audio.pcm import open_pcm
from audioseq.errors import AudioError

SAMPLES = np.arange(-300, 300, dtype=np.int16)


def wav(samples: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    """Return a file by libsndfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=form)
    return file.getvalue()


def open_bytes(content: bytes, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Return the samples of a stream that arrives in small pieces, and their sample rate."""
    blocks, rate = open_pcm(io.BufferedReader(io.BytesIO(content), 7), rate, "stdin")
    return np.concatenate([np.zeros(0, np.int16), *(each.reshape(-1) for each in blocks)]), rate


@given(
    st.binary(max_size=40).filter(lambda content: not content.startswith((b"RIFF", b"fLaC", b"OggS", b"ID3")))
)
def test_raw_samples_are_all_read(content: bytes) -> None:
    samples, rate = open_bytes(content, 8000)
    assert (samples.tobytes(), rate) == (content[: len(content) // 2 * 2], 8000)


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("size", [None, 0, 0x7FFFF000, 0xFFFFFFFF])
def test_wav_says_what_its_samples_are(form: str, size: int | None) -> None:
    content = wav(SAMPLES.reshape(-1, 2), 44_100, form=form)
    if size is not None:  # arecord, sox and ffmpeg do not know it in a pipe
        at = content.index(b"data") + 4
        content = content[:at] + struct.pack("<I", size) + content[at + 4 :]
    samples, rate = open_bytes(content)
    assert rate == 44_100 and np.array_equal(samples, SAMPLES)
    assert open_pcm(io.BufferedReader(io.BytesIO(content)), None, "stdin")[0].__next__().shape == (300, 2)


def test_joined_files_are_one_stream() -> None:
    notes = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    samples, _ = open_bytes(wav(SAMPLES) + notes + wav(SAMPLES[:9]))
    assert np.array_equal(samples, [*SAMPLES, *SAMPLES[:9]])


def test_a_sample_rate_that_changes_in_mid_stream_is_refused_after_the_samples_before() -> None:
    blocks, _ = open_pcm(io.BufferedReader(io.BytesIO(wav(SAMPLES) + wav(SAMPLES, 8000))), None, "stdin")
    assert np.array_equal(next(blocks), SAMPLES)
    with pytest.raises(AudioError, match="stdin: the sample rate changes from 16000 to 8000 Hz"):
        next(blocks)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wav(SAMPLES, 44_100), "is WAV of 44100 Hz; leave out --sample-rate 16000"),
        (wav(SAMPLES, subtype="PCM_24"), "is WAV with other than signed 16-bit samples"),
        (wav(SAMPLES, subtype="FLOAT"), "is WAV with other than signed 16-bit samples"),
        (wav(SAMPLES)[:30], "is damaged WAV"),
        (b"RIFF....WAVEdata....", "is damaged WAV"),
        (b"RIFF....WAVELIST\xff\xff\xff\xff", "is damaged WAV"),
        (wav(SAMPLES)[:36], "is WAV without samples"),
        (wav(SAMPLES, form="FLAC"), "is FLAC, not samples"),
        (wav(SAMPLES, subtype="VORBIS", form="OGG"), "is Ogg, not samples"),
    ],
)
def test_what_is_neither_is_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=f"^stdin: {message}"):
        open_bytes(content, 16_000)
