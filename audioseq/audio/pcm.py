"""Samples that arrive on a pipe: raw, or as WAV, whose header says what they are."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audioseq.audio.headers import UNKNOWN_SIZE
from audioseq.audio.io import SAMPLE_RATE
from audioseq.errors import AudioError

BLOCK_SECONDS = 0.1
"""Seconds of sound that are read at once, at most."""
COMPRESSED = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3\x03": "MP3", b"ID3\x04": "MP3"}
"""First bytes of files that do not consist of samples."""
PCM, EXTENSIBLE = 1, 0xFFFE
"""Formats of WAV: integers, or as stated further on in the header."""
MAX_CHUNK_BYTES = 2**20
"""Size of the parts of a WAV header; a larger one is damaged."""


class _Samples(NamedTuple):
    """The samples that follow a header of WAV."""

    rate: int
    channels: int
    size: int
    """Bytes."""


def open_pcm(
    stream: BufferedReader, sample_rate: int | None, where: str
) -> tuple[Iterator[NDArray[np.int16]], int]:
    """Return the sample rate of a stream, and its samples as soon as they arrive.

    Args:
        stream: signed 16-bit little-endian samples of one channel; or WAV with 16-bit samples, also joined
            files of the same sample rate.
        sample_rate: of raw samples, Hz, 16,000 if not given; WAV must agree with it.
        where: name of the stream in error messages.
    Returns:
        blocks of samples, int16 `[n]` or `[n, channels]`, and the sample rate in Hz.
    Raises:
        AudioError: the stream is compressed, or WAV with other samples or another sample rate; or, while its
            blocks are read, the sample rate changes.
    """
    first = stream.read(4)
    if first in COMPRESSED:
        raise AudioError(
            f"{where}: is {COMPRESSED[first]}, not samples; leave out --live, or decode it first"
        )
    if first != b"RIFF":
        rate = SAMPLE_RATE if sample_rate is None else sample_rate
        return _read_samples(stream, _Samples(rate, 1, sys.maxsize), first), rate
    stream.read(8)
    samples = _read_header(stream, where)
    if samples is None:
        raise AudioError(f"{where}: is WAV without samples; check the program that writes it")
    if sample_rate not in (None, samples.rate):
        raise AudioError(f"{where}: is WAV of {samples.rate} Hz; leave out --sample-rate {sample_rate}")
    return _read_wav(stream, samples, where), samples.rate


def _read_wav(stream: BufferedReader, samples: _Samples, where: str) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a WAV file, and of those that follow it."""
    rate, following = samples.rate, samples
    while True:
        if following.rate != rate:
            raise AudioError(
                f"{where}: the sample rate changes from {rate} to {following.rate} Hz; start another stream"
            )
        yield from _read_samples(stream, following)
        if (header := _read_header(stream, where)) is None:
            return
        following = header


def _read_header(stream: BufferedReader, where: str) -> _Samples | None:
    """Read WAV up to the next samples; return what they are, or None at the end of the stream."""
    rate = channels = 0
    while len(head := stream.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"RIFF":
            stream.read(4)
            continue
        if name == b"data" and rate:
            return _Samples(rate, channels, sys.maxsize if size == 0 or size >= UNKNOWN_SIZE else size)
        content = stream.read(size + size % 2) if size <= MAX_CHUNK_BYTES else b""
        if len(content) < size or name == b"data":
            raise AudioError(f"{where}: is damaged WAV; check the program that writes it")
        if name == b"fmt ":
            form, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16].ljust(16, b"\0"))
            if form == EXTENSIBLE:
                form = int.from_bytes(content[24:26], "little")
            if (form, bits) != (PCM, 16) or not channels or not rate:
                raise AudioError(f"{where}: is WAV with other than signed 16-bit samples; convert it first")
    return None


def _read_samples(
    stream: BufferedReader, samples: _Samples, first: bytes = b""
) -> Iterator[NDArray[np.int16]]:
    """Yield samples as soon as they arrive; `first` are bytes that have been read."""
    frame, rest, left = 2 * samples.channels, first, samples.size
    block = frame * max(1, int(samples.rate * BLOCK_SECONDS))
    while True:
        whole = len(rest) // frame * frame
        if whole:
            read = np.frombuffer(rest[:whole], "<i2")
            yield read if samples.channels == 1 else read.reshape(-1, samples.channels)
        rest = rest[whole:]
        data = stream.read1(min(block, left))
        if not data:
            return
        left -= len(data)
        rest += data
