"""Decoders of recordings: blocks of samples of all channels, and warnings about what is missing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from audioseq.audio import containers
from audioseq.audio.headers import UNKNOWN_SIZE, Part, PartFile, find_parts
from audioseq.audio.resampling import resampled
from audioseq.errors import AudioError

BLOCK_SAMPLES = 1 << 20
"""Samples, over all channels, that are decoded at once."""
MAX_FRAMES = 1 << 62
"""libsndfile reports more samples than these if the header does not tell the number."""
SHORT_BYTES = 0.7
"""Bytes per sample of FLAC, to estimate the length of a recording whose header does not tell it."""
SKIP_SECONDS = 0.25
"""Distance behind damage at which decoding is tried first; it doubles until it succeeds."""
MAX_RATE_RATIO = 100
"""Links of a chain whose sample rates differ more are damaged; to resample them could exhaust the memory."""
MISSING_SECONDS = 0.05
"""Encoders round lengths to their frames; less than this is not reported as missing."""
TRUNCATED_DATA = re.compile(r"\s*(?:data|SSND|Data Size|riff)\s*: (\d+) \(should be (\d+)\)")
TRUNCATED_RF64 = re.compile(r"does not match value from 'ds64' chunk of (\d+)")
"""Lines in libsndfile's log about files that are shorter than their headers say."""
HEADERLESS_SUFFIXES = (".gsm", ".vox")
"""Formats without a header, which libsndfile recognises by the name only."""


class Source(Protocol):
    """A recording that can be decoded several times."""

    rate: int
    """Sample rate, Hz."""
    channels: int
    is_float: bool
    """Whether samples beyond full scale are intact, since they are stored as floating-point numbers."""
    seconds: float
    """Duration by the header; for some formats an estimate."""
    warnings: list[str]
    """Replaced by each call of `blocks`; complete when its blocks are exhausted."""

    def blocks(self, start: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Decode blocks `[n, channels]`, from a time in seconds on; the last call counts."""


class ArraySource:
    """Samples in memory `[N, channels]`."""

    def __init__(self, samples: NDArray[np.float32], rate: int, *, is_float: bool) -> None:
        self._samples, self.rate, self.is_float = samples, rate, is_float
        self.channels = samples.shape[1]
        self.seconds = len(samples) / rate
        self.warnings: list[str] = []

    def blocks(self, start: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Yield all samples as one block."""
        yield self._samples[round(start * self.rate) :]


class SoundFileSource:
    """A part of a file that libsndfile decodes.

    Raises:
        sf.SoundFileError: it is no format of libsndfile.
    """

    def __init__(self, file: BinaryIO, part: Part, path: Path | None = None) -> None:
        self._file, self._part, self._path = file, part, path
        with self._open() as sound:
            self.rate, self.channels = sound.samplerate, sound.channels
            self.is_float = sound.subtype in ("FLOAT", "DOUBLE")
            self._format, self._frames = sound.format, sound.frames
            self._declared = _declared_frames(sound)
        if self._frames >= MAX_FRAMES:
            size = file.seek(0, os.SEEK_END)
            self.seconds = size / SHORT_BYTES / 2 / self.channels / self.rate
        else:
            self.seconds = self._frames / self.rate
        self.warnings: list[str] = []

    def _open(self) -> sf.SoundFile:
        with _quiet():
            if self._path is not None:
                return sf.SoundFile(os.fspath(self._path) if os.name == "nt" else os.fsencode(self._path))
            return sf.SoundFile(PartFile(self._file, self._part))

    def blocks(self, start: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Decode the recording, and after damage continue where it can be decoded again."""
        self.warnings = []
        done = round(start * self.rate)
        damaged: list[tuple[float, float]] = []
        with contextlib.ExitStack() as stack:
            sound, skip = self._seek(stack, done)
            done -= skip
            while True:
                size = max(1, BLOCK_SAMPLES // self.channels)
                block, error = _read(sound, min(size, max(0, self._frames - done)))
                yield block[min(skip, len(block)) :]
                skip = max(0, skip - len(block))
                done += len(block)
                if error and self._is_damage(error) and (found := self._resume(stack, done)):
                    sound, lost = found
                    damaged.append((done / self.rate, lost / self.rate))
                    yield np.zeros((lost, self.channels), np.float32)
                    done += lost
                elif error or not len(block):
                    break
        self._add_warnings(done, damaged, error)

    def _seek(self, stack: contextlib.ExitStack, frame: int) -> tuple[sf.SoundFile, int]:
        """Open the file at a frame; also return the number of frames to skip, if it cannot seek."""
        sound = stack.enter_context(self._open())
        if not frame or self._crashes(sound):
            return sound, frame
        try:
            with _quiet(self._format == "MP3"):
                sound.seek(min(frame, sound.frames))
            return sound, 0
        except sf.SoundFileError:
            return stack.enter_context(self._open()), frame

    def _crashes(self, sound: sf.SoundFile) -> bool:
        """Return whether libsndfile may crash when it seeks: in an Ogg file that it cannot decode."""
        return self._format == "OGG" and not len(_read(sound, 1)[0])

    def _is_damage(self, error: sf.SoundFileError) -> bool:
        # The end of a FLAC file of unknown length is reported as this error.
        return not (self._frames >= MAX_FRAMES and "seek" in str(error))

    def _resume(self, stack: contextlib.ExitStack, done: int) -> tuple[sf.SoundFile, int] | None:
        """Return the file at the next position that can be decoded, and its distance in frames."""
        lost = round(SKIP_SECONDS * self.rate)
        while done + lost < self._frames < MAX_FRAMES:
            with contextlib.suppress(sf.SoundFileError):
                sound = stack.enter_context(self._open())
                with _quiet():
                    if self._crashes(sound):
                        return None
                    sound.seek(done + lost)
                    if len(_read(sound, self.rate // 10)[0]):
                        sound.seek(done + lost)
                        return sound, lost
            lost *= 2
        return None

    def _add_warnings(
        self, done: int, damaged: list[tuple[float, float]], error: sf.SoundFileError | None
    ) -> None:
        if damaged:
            seconds = sum(lost for _, lost in damaged)
            self.warnings.append(f"damaged: {seconds:.2f} s after {damaged[0][0]:.2f} s cannot be decoded")
        expected = self._declared
        if self._format == "FLAC" or self._part.exact:
            expected = self._frames
        missing = (expected - done) / self.rate if expected < MAX_FRAMES else 0.0
        if missing > MISSING_SECONDS:
            # libmpg123 leaves out damaged frames without an error.
            where = "truncated or damaged:" if self._part.exact else "truncated: the last"
            self.warnings.append(f"{where} {missing:.2f} s of {expected / self.rate:.2f} s are missing")
        elif not self._part.ended or (error and self._is_damage(error)):
            self.warnings.append(f"truncated after {done / self.rate:.2f} s: its end is missing")


class ChainSource:
    """Recordings one after another, such as the links of a chained Ogg file."""

    def __init__(self, links: list[SoundFileSource]) -> None:
        self._links = links
        self.rate, self.channels = links[0].rate, links[0].channels
        self.is_float = False
        self.seconds = sum(link.seconds for link in links)
        self.warnings: list[str] = []

    def blocks(self, start: float = 0.0) -> Iterator[NDArray[np.float32]]:
        """Decode all links, with the sample rate and the channels of the first."""
        self.warnings = []
        for link in self._links:
            if start >= link.seconds:
                start -= link.seconds
                continue
            for block in resampled(link.blocks(start), link.rate, self.rate, link.channels):
                if link.channels != self.channels:
                    block = np.repeat(block.mean(axis=1, keepdims=True), self.channels, axis=1)
                yield block
            self.warnings += link.warnings
            start = 0.0


def open_source(source: str | os.PathLike[str] | BinaryIO) -> tuple[str, Source]:
    """Open a path or a file object; return its name for messages, and the decoder.

    Raises:
        AudioError: it is missing, empty, or in a format that cannot be decoded.
    """
    if isinstance(source, str | os.PathLike):
        where, file = os.fspath(source), _open_file(Path(source))
        path = Path(source)
    else:
        where, file, path = "audio stream", _spool(source, "audio stream"), None
    headerless = path if path and path.suffix.lower() in HEADERLESS_SUFFIXES else None
    found: Source | None = None
    try:
        links = [SoundFileSource(file, part, headerless) for part in find_parts(file)]
        found = links[0] if len(links) == 1 else ChainSource(links)
        rates = sorted(link.rate for link in links)
        if rates[-1] > MAX_RATE_RATIO * rates[0]:
            file.close()
            raise AudioError(
                f"{where}: its parts have sample rates of {rates[0]} to {rates[-1]} Hz; split it"
            )
    except (sf.SoundFileError, TypeError):  # TypeError: a .raw file, which has no sample rate
        pass
    try:
        if found is None or not found.seconds:
            found = containers.ContainerSource(file, where)
    except AudioError:
        if found is None:
            file.close()
            raise
    weakref.finalize(found, file.close)
    return where, found


def _read(sound: sf.SoundFile, frames: int) -> tuple[NDArray[np.float32], sf.SoundFileError | None]:
    """Read up to a number of frames; also return the error that ended it, after the frames before it."""
    # libsndfile does not tell how many frames it decoded before an error: they replace these NaNs.
    block = np.full((frames, sound.channels), np.nan, np.float32)
    with _quiet(sound.format == "MP3"):
        try:
            return sound.read(frames, always_2d=True, out=block), None
        except sf.SoundFileError as error:
            intact = np.flatnonzero(~np.isnan(block[:, 0]))
            return block[: intact[-1] + 1 if len(intact) else 0], error


def _declared_frames(sound: sf.SoundFile) -> int:
    """Return the number of frames by the header if the file is shorter, else 0."""
    frames = 0
    for line in sound.extra_info.splitlines():
        if found := TRUNCATED_DATA.match(line):
            declared, there = map(int, found.groups())
            if there and declared < UNKNOWN_SIZE:
                frames = max(frames, sound.frames * declared // there)
        elif found := TRUNCATED_RF64.search(line):
            frames = max(frames, int(found[1]))
    return frames


@contextlib.contextmanager
def _quiet(mp3: bool = True) -> Iterator[None]:
    """Discard what libmpg123 prints to stderr; libsndfile has no option for it."""
    if not mp3:
        yield
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the process has no stderr
            stderr = os.dup(2)
            stack.callback(os.close, stderr)
            null = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, null)
            os.dup2(null, 2)
            stack.callback(os.dup2, stderr, 2)
        yield


def _open_file(path: Path) -> BinaryIO:
    """Open a regular file, or a copy of a pipe."""
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a directory; name a recording in it")
        file = path.open("rb")
        if not path.is_file():
            with file:
                return _spool(file, str(path))
        if not file.read(1):
            file.close()
            raise AudioError(f"{path}: is empty; record or copy it again")
        return file
    except FileNotFoundError:
        raise AudioError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise AudioError(
            f"{path}: cannot be opened ({reason}); check the path and its permissions"
        ) from error


def _spool(source: BinaryIO, where: str) -> BinaryIO:
    """Copy a pipe to a temporary file, because decoders need to seek."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the source closes it)
    shutil.copyfileobj(source, file)
    if not file.tell():
        file.close()
        raise AudioError(f"{where}: is empty; check the program that writes to it")
    return file
