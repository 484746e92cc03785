"""Audio input and output: decode recordings to mono float32, resample, find files, write."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from audioseq.audio import containers
from audioseq.audio.levels import Channels
from audioseq.audio.sources import ArraySource, open_source
from audioseq.audio.streams import Stream, check_not_empty
from audioseq.errors import AudioError
from audioseq.files import write_bytes

SAMPLE_RATE = 16_000
"""Sample rate of the model input, Hz."""
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
"""Accepted sample rates; others come from damaged headers, and resampling them could exhaust the memory."""
_SOUNDFILE_SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave",
)  # fmt: skip
SUFFIXES = (*_SOUNDFILE_SUFFIXES, *(containers.SUFFIXES if containers.available() else ()))
"""File name suffixes that `find_recordings` looks for in directories."""
_ENCODINGS: dict[str, dict[str, Any]] = {
    ".wav": {"subtype": "PCM_16"},
    ".flac": {"subtype": "PCM_16"},
    # About 85 kbit/s for music in stereo.
    ".mp3": {"subtype": "MPEG_LAYER_III", "compression_level": 0.7, "bitrate_mode": "VARIABLE"},
}
WRITE_SUFFIXES = tuple(_ENCODINGS)
"""File name suffixes that `write` accepts."""
UNSUPPORTED_SUFFIXES = tuple(sorted({*containers.SUFFIXES} - {*SUFFIXES}))
"""Suffixes of recordings that cannot be read, since PyAV is not installed."""
_HINT = f"; for {' '.join(UNSUPPORTED_SUFFIXES)}: {containers.INSTALL}" if UNSUPPORTED_SUFFIXES else ""


def stream(
    source: str | os.PathLike[str] | BinaryIO,
    sample_rate: int | None = SAMPLE_RATE,
    *,
    channels: Channels = "mix",
    amplify: bool = False,
    offset: float = 0.0,
    duration: float | None = None,
) -> Stream:
    """Open a recording of any length for reading block by block.

    Args:
        source: path or binary file object; a file object is copied to a temporary file and need not seek.
        sample_rate: sample rate of the blocks, Hz; None for that of the recording.
        channels: `mix` for the mean of the channels, without those that are silent, clipped or cancel the
            others; `left`, `right`, or the number of a channel from 1; or `split`, see `Stream.split`.
        amplify: whether quiet recordings are amplified.
        offset: start of the part to read, seconds.
        duration: length of the part, seconds; None for the rest of the recording.
    Raises:
        AudioError: the file is missing, empty or not audio; errors in the samples are raised while iterating.
    Example:
        >>> sum(len(block) for block in stream("assets/hello.flac")) / SAMPLE_RATE
        4.735
    """
    where, found = open_source(source)
    check_rate(found.rate, where)
    return Stream(
        where, found, sample_rate, channels=channels, amplify=amplify, offset=offset, duration=duration
    )


def read(source: str | os.PathLike[str] | BinaryIO) -> tuple[np.ndarray, int]:
    """Read a recording at its own sample rate, mixed to mono.

    Args:
        source: path or binary file object, which is read to its end and need not seek.
    Returns:
        samples in -1..1 `[N]` float32, and the sample rate in Hz.
    Raises:
        AudioError: the file is missing, not audio, truncated or empty, or has NaN or infinite samples.
    """
    blocks = stream(source, None)
    return np.concatenate(list(blocks)), blocks.sample_rate


def load(source: str | os.PathLike[str] | BinaryIO, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a recording as mono samples `[N]` float32 at a sample rate in Hz; errors as in `read`."""
    return np.concatenate(list(stream(source, sample_rate)))


def convert(waveform: Any, sample_rate_in: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Convert samples in memory to mono float32 at a sample rate.

    Args:
        waveform: array or tensor `[N]`, `[N, channels]` or `[channels, N]` (channels are the shorter axis);
            floats in -1..1, or int16, int32 or uint8 over their full range.
        sample_rate_in: sample rate of the waveform, Hz.
        sample_rate: sample rate of the result, Hz.
    Returns:
        samples `[N']` float32, N' = round(N * sample_rate / sample_rate_in), at least 1.
    Raises:
        AudioError: the waveform is empty, not finite, or has an unsupported shape, dtype or sample rate.
    Example:
        >>> convert(np.zeros((2, 44100), np.int16), 44100).shape
        (16000,)
    """
    return np.concatenate(list(stream_array(waveform, sample_rate_in, sample_rate)))


def stream_array(
    waveform: Any,
    sample_rate_in: int,
    sample_rate: int = SAMPLE_RATE,
    *,
    channels: Channels = "mix",
    amplify: bool = False,
) -> Stream:
    """Return samples in memory as a `Stream`; arguments as in `convert` and `stream`."""
    array = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform)
    where = f"waveform {list(array.shape)}"
    if array.ndim not in (1, 2):
        raise AudioError(f"{where}: has {array.ndim} dimensions; pass [N], [N, channels] or [channels, N]")
    is_float = np.issubdtype(array.dtype, np.floating)
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype in (np.int16, np.int32):
        array = (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    elif not is_float:
        raise AudioError(f"{where}: has dtype {array.dtype}; pass float in -1..1, int16, int32 or uint8")
    check_rate(sample_rate_in, where)
    check_not_empty(array.size, where)
    samples = array if array.ndim == 2 else array[:, None]
    samples = np.ascontiguousarray(samples.T if samples.shape[0] < samples.shape[1] else samples, np.float32)
    source = ArraySource(samples, sample_rate_in, is_float=bool(is_float))
    return Stream(where, source, sample_rate, channels=channels, amplify=amplify)


def find_recordings(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the given files, and the audio files under the given directories, sorted for each directory.

    Raises:
        AudioError: a directory contains no audio files.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()
        )
        if not inside:
            raise AudioError(
                f"{path}: no audio files in this directory; looked for {' '.join(SUFFIXES)}{_HINT}"
            )
        found += inside
    return found


def write(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples in -1..1 `[N]` or `[N, channels]`: as wav or flac of 16 bit or mp3, by the suffix.

    Raises:
        AudioError: the suffix is another one, or the format does not support the sample rate.
        FileError: the file cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITE_SUFFIXES:
        use = f"{', '.join(WRITE_SUFFIXES[:-1])} or {WRITE_SUFFIXES[-1]}"
        raise AudioError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; use {use}")
    buffer = io.BytesIO()
    try:
        sf.write(buffer, np.clip(waveform, -1, 1), sample_rate, format=suffix[1:], **_ENCODINGS[suffix])
    except sf.SoundFileError as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"{path}: cannot be written ({reason}); use .wav") from error
    write_bytes(path, buffer.getbuffer())


def check_rate(rate: int, where: str) -> None:
    """Raise an AudioError for a sample rate in Hz that is not accepted."""
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise AudioError(f"{where}: has a sample rate of {rate} Hz; use {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
