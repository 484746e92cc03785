"""A cache of decoded recordings, which training reads in every epoch."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from audioseq import audio
from audioseq.data import Utterance, stamp
from audioseq.errors import AudioError, DataError
from audioseq.files import write_atomically

MAX_PENDING_RECORDINGS = 256
"""Recordings that are decoded before they are written to the cache; bounds the memory of a build."""


class _CacheEntry(NamedTuple):
    """Position of an utterance in the files of samples."""

    shard: str
    """Stem of the file of samples."""
    start: int
    """First sample."""
    length: int
    """Samples."""
    stamp: list[int]
    """Size and modification time of the recording when it was decoded; used to detect changes."""


class WaveformCache:
    """Store recordings as 16 kHz, 16 bit, mono samples in a few large memory-mapped files.

    Each `build` that decodes something adds one file of samples and an index beside it. The key of an entry
    is the recording's path, offset and duration, not the position in a manifest, so manifests can share a
    cache.

    Args:
        directory: of the cache; created if it does not exist.
    Raises:
        DataError: an index is damaged.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self._index: dict[str, _CacheEntry] = {}
        for path in sorted(self.directory.glob("*.json")):
            try:
                entries = json.loads(path.read_bytes())
                self._index |= {key: _CacheEntry(path.stem, *place) for key, place in entries.items()}
            except (OSError, ValueError, TypeError, AttributeError) as error:
                raise DataError(
                    f"{path}: the index is damaged; delete the cache and build it again"
                ) from error

    def __contains__(self, utterance: Utterance) -> bool:
        return _key(utterance) in self._index

    def load(self, utterance: Utterance) -> np.ndarray:
        """Return the samples `[N]` of an utterance, int16 at 16 kHz, memory-mapped.

        Raises:
            DataError: the utterance is not in the cache, or the file of samples is damaged.
        """
        entry = self._index.get(_key(utterance))
        if entry is None:
            raise DataError(
                f"{self.directory}: utterance {utterance.id} is not in the cache; build the cache first"
            )
        shard = self.directory / f"{entry.shard}.i16"
        try:
            samples = _map_samples(shard)[entry.start : entry.start + entry.length]
        except (OSError, ValueError) as error:
            raise DataError(
                f"{shard}: cannot be read ({error}); delete the cache and build it again"
            ) from error
        if len(samples) < entry.length:
            raise DataError(f"{shard}: the file is truncated; delete the cache and build it again")
        return samples

    def build(
        self,
        utterances: Sequence[Utterance],
        workers: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[AudioError]:
        """Decode recordings that are not in the cache, or that changed on disk since they were decoded.

        Args:
            utterances: from any number of manifests.
            workers: number of threads (decoding releases the interpreter lock); 0 for one per core.
            progress: called with the number of recordings decoded so far and the total.
        Returns:
            one error for each recording that cannot be used; its utterances are left out.
        Raises:
            FileError: the cache cannot be written.
        """
        missing: dict[Path, dict[str, Utterance]] = {}
        for utterance in utterances:
            key = _key(utterance)
            entry = self._index.get(key)
            if entry is None or entry.stamp != list(stamp(utterance.audio_filepath)):
                self._index.pop(key, None)
                missing.setdefault(utterance.audio_filepath, {})[key] = utterance
        if not missing:
            return []
        errors: list[AudioError] = []
        entries: dict[str, _CacheEntry] = {}
        files = list(missing.items())
        # The name follows that of the last index, and depends on the content: a build replaces what the same
        # build left when it was killed, and two builds at once do not disturb each other.
        indices = self.directory.glob("[0-9]" * 20 + "-*.json")
        number = max((int(path.stem[:20]) for path in indices), default=0) + 1
        content = repr([(list(keys), stamp(path)) for path, keys in files]).encode()
        shard = f"{number:020d}-{hashlib.sha256(content).hexdigest()[:16]}"

        def write(out: BinaryIO) -> None:
            end = 0
            with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
                for first in range(0, len(files), MAX_PENDING_RECORDINGS):
                    decoded = pool.map(
                        lambda item: _decode(*item), files[first : first + MAX_PENDING_RECORDINGS]
                    )
                    for done, (file_stamp, waveforms, problems) in enumerate(decoded, first + 1):
                        errors.extend(problems)
                        for key, samples in waveforms.items():
                            out.write(samples.tobytes())
                            entries[key] = _CacheEntry(shard, end, len(samples), file_stamp)
                            end += len(samples)
                        if progress:
                            progress(done, len(files))

        write_atomically(self.directory / f"{shard}.i16", write, make_folder=True)
        if not entries:
            (self.directory / f"{shard}.i16").unlink()
            return errors
        # The index is written last: samples without an index, from a build that was killed, are never read.
        index = json.dumps({key: entry[1:] for key, entry in entries.items()}).encode()
        write_atomically(self.directory / f"{shard}.json", lambda out: out.write(index), make_folder=True)
        self._index |= entries
        return errors


def to_int16(waveform: np.ndarray) -> np.ndarray:
    """Return float samples in -1..1 as 16-bit samples."""
    samples: np.ndarray = np.clip(np.rint(waveform * 32768), -32768, 32767).astype(np.int16)
    return samples


def _key(utterance: Utterance) -> str:
    return f"{utterance.audio_filepath}|{utterance.offset:.6f}|{utterance.duration:.6f}"


def _decode(
    path: Path, utterances: dict[str, Utterance]
) -> tuple[list[int], dict[str, np.ndarray], list[AudioError]]:
    """Decode a recording; return its stamp, the samples of each utterance by key, and errors."""
    waveforms, errors = {}, []
    file_stamp = list(stamp(path))
    try:
        recording = to_int16(audio.load(path))
    except AudioError as error:
        return file_stamp, {}, [error]
    for key, utterance in utterances.items():
        try:
            waveforms[key] = utterance.cut(recording)
        except AudioError as error:
            errors.append(error)
    return file_stamp, waveforms, errors


@functools.cache
def _map_samples(path: Path) -> np.ndarray:
    """Memory-map a file of samples; not a member of the cache, so that a cache can be pickled for workers."""
    return np.memmap(path, np.int16, "r")
