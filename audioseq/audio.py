"""Waveforms in and out: read any recording as mono float32, resample, find files, write."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from audioseq.errors import AudioError

SAMPLE_RATE = 16_000
"""Of everything that models hear, Hz."""
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Rates outside come from damaged headers, and would make resampling use any amount of memory."""
SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav .wave".split()
)  # fmt: skip
"""What `find` takes for audio in a directory."""
BLOCK = 1 << 20
"""Samples decoded at once: a long recording with many channels is mixed down on the way in."""


def read(source: str | os.PathLike[str] | BinaryIO) -> tuple[np.ndarray, int]:
    """Read a recording and mix its channels to one.

    Args:
        source: a path, or a binary file object (read to its end; it need not seek).
    Returns:
        samples in -1..1 `[N]` float32, and the sample rate in Hz.
    Raises:
        AudioError: the file is missing, not audio, cut off, or holds no samples or samples that are not numbers.
    """
    if isinstance(source, str | os.PathLike):
        where, file = os.fspath(source), _checked(Path(source))
    else:
        where, file = "audio stream", io.BytesIO(source.read())
        if not file.getbuffer().nbytes:
            raise AudioError(f"{where}: is empty; check what writes to it")
    blocks: list[np.ndarray] = []
    try:
        with sf.SoundFile(file) as sound:
            rate, expected = sound.samplerate, sound.frames
            is_flac = sound.format == "FLAC"
            while len(block := sound.read(BLOCK // sound.channels, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
    except (sf.SoundFileError, TypeError) as error:  # TypeError: a .raw file, whose rate nobody knows
        if blocks:
            raise _cut_off(where, sum(map(len, blocks)) / rate) from error
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(
            f"{where}: cannot be decoded ({reason}); give it as wav, flac, ogg, opus, mp3 or aiff, "
            "for example by: ffmpeg -i INPUT OUTPUT.wav"
        ) from error
    waveform = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    # Other formats state lengths that may be estimates; what they decode to is what there is.
    if is_flac and len(waveform) < expected < np.iinfo(np.int64).max:
        raise _cut_off(where, len(waveform) / rate)
    _check(waveform, rate, where)
    return waveform, rate


def load(source: str | os.PathLike[str] | BinaryIO, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a recording as mono samples `[N]` float32 at a sample rate (Hz); errors as in `read`."""
    return _resample(*read(source), sample_rate)


def prepare(waveform: Any, sample_rate_in: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Turn samples in memory into mono float32 at a sample rate.

    Args:
        waveform: array or tensor `[N]`, `[N, channels]` or `[channels, N]` (the shorter axis is the channels); floats
            in -1..1, or int16, int32 or uint8 over their full range.
        sample_rate_in: of the waveform, Hz.
        sample_rate: wanted, Hz.
    Returns:
        samples `[N']` float32, N' = ceil(N * sample_rate / sample_rate_in) or one less.
    Raises:
        AudioError: no samples, samples that are not numbers, or a shape, type or rate that is not audio.
    Example:
        >>> prepare(np.zeros((2, 44100), np.int16), 44100).shape
        (16000,)
    """
    array = np.asarray(waveform.detach().cpu() if hasattr(waveform, "detach") else waveform)
    where = f"waveform {list(array.shape)}"
    if array.ndim not in (1, 2):
        raise AudioError(f"{where}: has {array.ndim} axes; give [N], [N, channels] or [channels, N]")
    if array.dtype == np.uint8:
        array = (array.astype(np.float32) - 128) / 128
    elif array.dtype in (np.int16, np.int32):
        array = (array / -float(np.iinfo(array.dtype).min)).astype(np.float32)
    elif not np.issubdtype(array.dtype, np.floating):
        raise AudioError(f"{where}: has samples of type {array.dtype}; give float in -1..1, int16, int32 or uint8")
    if array.ndim == 2:
        array = array.mean(axis=int(np.argmin(array.shape)))
    array = np.ascontiguousarray(array, dtype=np.float32)
    _check(array, sample_rate_in, where)
    return _resample(array, sample_rate_in, sample_rate)


def find(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """List recordings: files as given, and everything that looks like audio under directories, sorted.

    Raises:
        AudioError: a directory has no audio in it.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not inside:
            raise AudioError(f"{path}: no audio in this directory; looked for {' '.join(sorted(SUFFIXES))}")
        found += inside
    return found


def write(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples in -1..1 `[N]` or `[N, channels]` as 16-bit wav or flac, by the path's suffix.

    Raises:
        AudioError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".flac"):
        raise AudioError(f"{path}: cannot write {path.suffix or 'a file without suffix'}; name it .wav or .flac")
    try:
        sf.write(path, np.clip(waveform, -1, 1), sample_rate, subtype="PCM_16")
    except (sf.SoundFileError, OSError) as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"{path}: cannot be written ({reason}); choose another place") from error


def _checked(path: Path) -> Path:
    try:
        empty = path.stat().st_size == 0
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"{path}: cannot be opened ({error}); check the path") from error
    if path.is_dir():
        raise AudioError(f"{path}: is a directory; name a recording in it")
    if path.is_file() and empty:
        raise AudioError(f"{path}: is empty; record or copy it again")
    return path


def _check(waveform: np.ndarray, rate: int, where: str) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{where}: has a sample rate of {rate} Hz; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if not len(waveform):
        raise AudioError(f"{where}: holds no samples; record or export it again")
    finite = np.isfinite(waveform)
    if not finite.all():
        second = int(np.argmin(finite)) / rate
        raise AudioError(f"{where}: has NaN or infinite samples from {second:.2f} s on; export it again")


def _cut_off(where: str, seconds: float) -> AudioError:
    return AudioError(f"{where}: is damaged or cut off after {seconds:.2f} s; copy or download it again")


def _resample(waveform: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    if rate_in == rate_out:
        return waveform
    import soxr  # torchaudio's resampler builds a filter of gigabytes where two rates have no common divisor

    return np.asarray(soxr.resample(waveform, rate_in, rate_out))
