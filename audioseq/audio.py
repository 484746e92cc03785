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
SUFFIXES = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga",
    ".ogg", ".opus", ".rf64", ".snd", ".w64", ".wav", ".wave",
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
        AudioError: the file is missing, not audio or cut off, has no samples, or some that are not numbers.
    """
    if isinstance(source, str | os.PathLike):
        where, file = os.fspath(source), _opened(Path(source))
    else:
        where, file = "audio stream", _filled(source, "audio stream")
    try:
        sound = sf.SoundFile(file)
    except (sf.SoundFileError, TypeError) as error:  # TypeError: a .raw file, whose rate nobody knows
        raise AudioError(
            f"{where}: is not audio that can be decoded; give wav, flac, ogg, opus, mp3 or aiff, "
            "for example by: ffmpeg -i INPUT OUTPUT.wav"
        ) from error
    blocks = [np.zeros(0, np.float32)]
    with sound:
        rate = sound.samplerate
        try:
            while len(block := sound.read(BLOCK // sound.channels, dtype="float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
        except sf.SoundFileError as error:
            raise _damaged(where) from error
        waveform = np.concatenate(blocks)
        # The other formats' lengths may be estimates: there, what can be decoded is all there is.
        if sound.format == "FLAC" and len(waveform) < sound.frames:
            raise _damaged(where)
    _check(waveform, rate, where)
    return waveform, rate


def load(source: str | os.PathLike[str] | BinaryIO, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a recording as mono samples `[N]` float32 at a sample rate (Hz); errors as in `read`."""
    return _resample(*read(source), sample_rate)


def prepare(waveform: Any, sample_rate_in: int, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Turn samples in memory into mono float32 at a sample rate.

    Args:
        waveform: array or tensor `[N]`, `[N, channels]` or `[channels, N]` (channels are the shorter axis);
            floats in -1..1, or int16, int32 or uint8 over their full range.
        sample_rate_in: of the waveform, Hz.
        sample_rate: wanted, Hz.
    Returns:
        samples `[N']` float32, N' = round(N * sample_rate / sample_rate_in), at least 1.
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
        raise AudioError(f"{where}: holds {array.dtype}; give float in -1..1, int16, int32 or uint8")
    if array.ndim == 2 and array.size:
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
        inside = sorted(at for at in path.rglob("*") if at.suffix.lower() in SUFFIXES and at.is_file())
        if not inside:
            raise AudioError(f"{path}: no audio in this directory; looked for {' '.join(SUFFIXES)}")
        found += inside
    return found


def write(path: str | os.PathLike[str], waveform: np.ndarray, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples in -1..1 `[N]` or `[N, channels]` as 16-bit wav or flac, by the path's suffix.

    Raises:
        AudioError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".flac"):
        raise AudioError(f"{path}: cannot write {path.suffix or 'without suffix'}; name it .wav or .flac")
    try:
        sf.write(path, np.clip(waveform, -1, 1), sample_rate, subtype="PCM_16")
    except (sf.SoundFileError, OSError) as error:
        reason = str(error).rsplit(": ", 1)[-1].rstrip(".")
        raise AudioError(f"{path}: cannot be written ({reason}); choose another place") from error


def _opened(path: Path) -> Path | io.BytesIO:
    """Return a regular file as its path, and the content of a pipe."""
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a directory; name a recording in it")
        with path.open("rb") as file:
            if not path.is_file():
                return _filled(file, str(path))
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


def _filled(stream: BinaryIO, where: str) -> io.BytesIO:
    content = stream.read()
    if not content:
        raise AudioError(f"{where}: is empty; check what writes to it")
    return io.BytesIO(content)


def _check(waveform: np.ndarray, rate: int, where: str) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{where}: has a sample rate of {rate} Hz; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
    if not len(waveform):
        raise AudioError(f"{where}: holds no samples; record or export it again")
    finite = np.isfinite(waveform)
    if not finite.all():
        second = int(np.argmin(finite)) / rate
        raise AudioError(f"{where}: has NaN or infinite samples from {second:.2f} s on; export it again")


def _damaged(where: str) -> AudioError:
    return AudioError(
        f"{where}: is damaged or cut off; copy it again, or save what is left by: ffmpeg -i INPUT OUTPUT.wav"
    )


def _resample(waveform: np.ndarray, rate_in: int, rate_out: int) -> np.ndarray:
    if rate_in == rate_out:
        return waveform
    import soxr  # torchaudio's resampler builds a filter of gigabytes where two rates have no common divisor

    resampled = np.asarray(soxr.resample(waveform, rate_in, rate_out))
    return resampled if len(resampled) else waveform[:1]
