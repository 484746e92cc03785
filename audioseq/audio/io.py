"""Waveforms in and out: read any recording as mono float32, resample, find files, write."""

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


@dataclass(frozen=True)
class Stream:
    """A recording that is decoded block by block, so that hours of it take no memory; made by `stream`.

    Its blocks, mono float32 `[n]`, can be had once; joined they are what `load` gives.

    Raises:
        AudioError: while iterating: the recording is cut off, has no samples, or some that are not numbers.
    """

    where: str
    """What an error calls it."""
    sound: sf.SoundFile
    sample_rate: int
    """Of the blocks, Hz."""

    @property
    def seconds(self) -> float:
        """How long the recording is, as its header says; some formats only estimate it."""
        return float(self.sound.frames / self.sound.samplerate)

    def __iter__(self) -> Iterator[np.ndarray]:
        return _resampled(self._decoded(), self.sound.samplerate, self.sample_rate)

    def _decoded(self) -> Iterator[np.ndarray]:
        """Yield what is in the file, its channels mixed to one."""
        sound, done = self.sound, self.sound.tell()  # not 0 where somebody has sought a later beginning
        with sound:
            try:
                while len(block := sound.read(BLOCK // sound.channels, dtype="float32", always_2d=True)):
                    mono = block.mean(axis=1)
                    _check_numbers(mono, done, sound.samplerate, self.where)
                    done += len(mono)
                    yield mono
            except sf.SoundFileError as error:
                raise _damaged(self.where, done / sound.samplerate) from error
            # The other formats' lengths may be estimates: there, what can be decoded is all there is.
            if sound.format == "FLAC" and done < sound.frames:
                raise _damaged(self.where, done / sound.samplerate)
            _check_any(done, self.where)


def stream(source: str | os.PathLike[str] | BinaryIO, sample_rate: int | None = SAMPLE_RATE) -> Stream:
    """Open a recording of any length to be read block by block.

    Args:
        source: a path, or a binary file object (it need not seek; its bytes wait in a temporary file).
        sample_rate: of the blocks, Hz; None for that of the recording.
    Raises:
        AudioError: the file is missing, empty or not audio; what is wrong inside, iterating tells.
    Example:
        >>> sum(len(block) for block in stream("assets/hello.flac")) / SAMPLE_RATE
        4.735
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
    _check_rate(sound.samplerate, where)
    return Stream(where, sound, sample_rate or sound.samplerate)


def read(source: str | os.PathLike[str] | BinaryIO) -> tuple[np.ndarray, int]:
    """Read a recording and mix its channels to one.

    Args:
        source: a path, or a binary file object (read to its end; it need not seek).
    Returns:
        samples in -1..1 `[N]` float32, and the sample rate in Hz.
    Raises:
        AudioError: the file is missing, not audio or cut off, has no samples, or some that are not numbers.
    """
    blocks = stream(source, None)
    return np.concatenate(list(blocks)), blocks.sample_rate


def load(source: str | os.PathLike[str] | BinaryIO, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read a recording as mono samples `[N]` float32 at a sample rate (Hz); errors as in `read`."""
    return np.concatenate(list(stream(source, sample_rate)))


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
    _check_rate(sample_rate_in, where)
    _check_any(len(array), where)
    _check_numbers(array, 0, sample_rate_in, where)
    return np.concatenate(list(_resampled([array], sample_rate_in, sample_rate)))


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


def _opened(path: Path) -> Path | int:
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


def _filled(source: BinaryIO, where: str) -> int:
    """Return the content of a pipe as the descriptor of a file on disk: decoders seek, and it may be long."""
    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(source, file)
        if not file.tell():
            raise AudioError(f"{where}: is empty; check what writes to it")
        file.seek(0)
        return os.dup(file.fileno())


def _check_rate(rate: int, where: str) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{where}: has a sample rate of {rate} Hz; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")


def _check_any(samples: int, where: str) -> None:
    if not samples:
        raise AudioError(f"{where}: holds no samples; record or export it again")


def _check_numbers(waveform: np.ndarray, before: int, rate: int, where: str) -> None:
    """Refuse a stretch with `before` samples before it if some of its own are not numbers."""
    finite = np.isfinite(waveform)
    if not finite.all():
        second = (before + int(np.argmin(finite))) / rate
        raise AudioError(f"{where}: has NaN or infinite samples from {second:.2f} s on; export it again")


def _damaged(where: str, second: float) -> AudioError:
    return AudioError(
        f"{where}: is damaged or cut off somewhere after {second:.2f} s; "
        "copy it again, or save what is left by: ffmpeg -i INPUT OUTPUT.wav"
    )


def _resampled(blocks: Iterable[np.ndarray], rate_in: int, rate_out: int) -> Iterator[np.ndarray]:
    """Yield a waveform at another rate, of whatever blocks, at least one sample of it."""
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr  # torchaudio's resampler builds a filter of gigabytes where two rates have no common divisor

    resampler = soxr.ResampleStream(rate_in, rate_out, num_channels=1, dtype="float32")
    made, last = 0, np.zeros(0, np.float32)
    for block in blocks:
        made += len(resampled := resampler.resample_chunk(block))
        last = block
        yield resampled
    made += len(rest := resampler.resample_chunk(last[:0], last=True))
    yield rest if made else last[:1]
