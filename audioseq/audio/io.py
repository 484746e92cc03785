"""Audio input and output: decode recordings to mono float32, resample, find files, write."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from audioseq.errors import AudioError

SAMPLE_RATE = 16_000
"""Sample rate of the model input, Hz."""
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000
"""Accepted sample rates; others come from damaged headers, and resampling them could exhaust the memory."""
SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave",
)  # fmt: skip
"""File name suffixes that `find_recordings` looks for in directories."""
BLOCK_SAMPLES = 1 << 20
"""Samples, over all channels, that are decoded at once; each block is mixed down before the next is read."""


@dataclass(frozen=True)
class Stream:
    """Recording that is decoded block by block with constant memory; created by `stream`.

    It yields mono float32 blocks `[n]` and can be iterated once; concatenated, the blocks equal `load`.

    Raises:
        AudioError: while iterating, if the recording is truncated, empty, or has NaN or infinite samples.
    """

    where: str
    """Name of the recording in error messages."""
    sound: sf.SoundFile
    sample_rate: int
    """Sample rate of the blocks, Hz."""

    @property
    def seconds(self) -> float:
        """Duration from the header, seconds; for some formats an estimate."""
        return float(self.sound.frames / self.sound.samplerate)

    def __iter__(self) -> Iterator[np.ndarray]:
        return _resampled(self._decoded(), self.sound.samplerate, self.sample_rate)

    def _decoded(self) -> Iterator[np.ndarray]:
        """Yield the samples of the file from its current position, mixed to mono."""
        sound, done = self.sound, self.sound.tell()  # not 0 if the caller has called `seek`
        frames = BLOCK_SAMPLES // sound.channels
        with sound:
            try:
                while len(block := sound.read(frames, dtype="float32", always_2d=True)):
                    mono = block.mean(axis=1)
                    _check_finite(mono, done, sound.samplerate, self.where)
                    done += len(mono)
                    yield mono
            except sf.SoundFileError as error:
                raise _damaged(self.where, done / sound.samplerate) from error
            # For other formats the length in the header may be an estimate, so a short file is no error.
            if sound.format == "FLAC" and done < sound.frames:
                raise _damaged(self.where, done / sound.samplerate)
            _check_not_empty(done, self.where)


def stream(source: str | os.PathLike[str] | BinaryIO, sample_rate: int | None = SAMPLE_RATE) -> Stream:
    """Open a recording of any length for reading block by block.

    Args:
        source: path or binary file object; a file object is copied to a temporary file and need not seek.
        sample_rate: sample rate of the blocks, Hz; None for that of the recording.
    Raises:
        AudioError: the file is missing, empty or not audio; errors in the samples are raised while iterating.
    Example:
        >>> sum(len(block) for block in stream("assets/hello.flac")) / SAMPLE_RATE
        4.735
    """
    if isinstance(source, str | os.PathLike):
        where, file = os.fspath(source), _open_file(Path(source))
    else:
        where, file = "audio stream", _spool(source, "audio stream")
    try:
        sound = sf.SoundFile(file)
    except (sf.SoundFileError, TypeError) as error:  # TypeError: a .raw file, which has no sample rate
        raise AudioError(
            f"{where}: is not audio in a supported format; convert it to wav, flac, ogg, opus, mp3 or aiff, "
            "for example: ffmpeg -i INPUT OUTPUT.wav"
        ) from error
    _check_rate(sound.samplerate, where)
    return Stream(where, sound, sample_rate or sound.samplerate)


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
    array = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform)
    where = f"waveform {list(array.shape)}"
    if array.ndim not in (1, 2):
        raise AudioError(f"{where}: has {array.ndim} dimensions; pass [N], [N, channels] or [channels, N]")
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype in (np.int16, np.int32):
        array = (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    elif not np.issubdtype(array.dtype, np.floating):
        raise AudioError(f"{where}: has dtype {array.dtype}; pass float in -1..1, int16, int32 or uint8")
    if array.ndim == 2 and array.size:
        array = array.mean(axis=int(np.argmin(array.shape)))
    array = np.ascontiguousarray(array, dtype=np.float32)
    _check_rate(sample_rate_in, where)
    _check_not_empty(len(array), where)
    _check_finite(array, 0, sample_rate_in, where)
    return np.concatenate(list(_resampled([array], sample_rate_in, sample_rate)))


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
            raise AudioError(f"{path}: no audio files in this directory; looked for {' '.join(SUFFIXES)}")
        found += inside
    return found


def write(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples in -1..1 `[N]` or `[N, channels]` as 16-bit wav or flac, depending on the suffix.

    Raises:
        AudioError: the suffix is not .wav or .flac, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".flac"):
        raise AudioError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; use .wav or .flac")
    try:
        sf.write(path, np.clip(waveform, -1, 1), sample_rate, subtype="PCM_16")
    except (sf.SoundFileError, OSError) as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"{path}: cannot be written ({reason}); choose another path") from error


def _open_file(path: Path) -> Path | int:
    """Return the path of a regular file, or the descriptor of a copy of a pipe."""
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a directory; name a recording in it")
        with path.open("rb") as file:
            if not path.is_file():
                return _spool(file, str(path))
            if not file.read(1):
                raise AudioError(f"{path}: is empty; record or copy it again")
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise AudioError(
            f"{path}: cannot be opened ({reason}); check the path and its permissions"
        ) from error
    return path


def _spool(source: BinaryIO, where: str) -> int:
    """Copy a pipe to a temporary file and return its descriptor, because decoders need to seek."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(source, file)
        if not file.tell():
            raise AudioError(f"{where}: is empty; check the program that writes to it")
        file.seek(0)
        return os.dup(file.fileno())


def _check_rate(rate: int, where: str) -> None:
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise AudioError(f"{where}: has a sample rate of {rate} Hz; use {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")


def _check_not_empty(samples: int, where: str) -> None:
    if not samples:
        raise AudioError(f"{where}: has no samples; record or export it again")


def _check_finite(waveform: np.ndarray, start: int, rate: int, where: str) -> None:
    """Raise an AudioError if a block that begins at sample `start` has NaN or infinite samples."""
    finite = np.isfinite(waveform)
    if not finite.all():
        second = (start + int(np.argmin(finite))) / rate
        raise AudioError(f"{where}: has NaN or infinite samples from {second:.2f} s on; export it again")


def _damaged(where: str, second: float) -> AudioError:
    return AudioError(
        f"{where}: is damaged or truncated after {second:.2f} s; "
        "copy it again, or recover the intact part: ffmpeg -i INPUT OUTPUT.wav"
    )


def _resampled(blocks: Iterable[np.ndarray], rate_in: int, rate_out: int) -> Iterator[np.ndarray]:
    """Yield a waveform, given in blocks, at another sample rate; at least one sample."""
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr  # torchaudio's resampler builds a filter of gigabytes for rates without a common divisor

    resampler = soxr.ResampleStream(rate_in, rate_out, num_channels=1, dtype="float32")
    made, last = 0, np.zeros(0, np.float32)
    for block in blocks:
        made += len(resampled := resampler.resample_chunk(block))
        last = block
        yield resampled
    made += len(rest := resampler.resample_chunk(last[:0], last=True))
    yield rest if made else last[:1]
