"""Recordings decoded once, for training to read again and again."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from audioseq import audio
from audioseq.data import Utterance, stamp, write_file
from audioseq.errors import AudioError, DataError

FILES_AT_ONCE = 256
"""Recordings decoded before they are written to the cache; bounds the memory of building it."""


class _Place(NamedTuple):
    shard: str
    start: int
    length: int
    stamp: list[int]
    """Size and time of change of the recording, to see that it is still the same."""


class WaveformCache:
    """Recordings decoded once to 16 kHz, 16 bit, mono, in a few large memory-mapped files.

    Each `build` that finds something new adds one file of samples and an index beside it. An entry is found
    by the recording's path and the stretch of it, never by its place in a manifest: manifests can share it.

    Args:
        directory: made if it is not there.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self._index: dict[str, _Place] = {}
        for path in sorted(self.directory.glob("*.json")):
            try:
                entries = json.loads(path.read_bytes())
                self._index |= {key: _Place(path.stem, *place) for key, place in entries.items()}
            except (OSError, ValueError, TypeError, AttributeError) as error:
                raise DataError(f"{path}: is damaged; delete the cache and build it anew") from error

    def __contains__(self, utterance: Utterance) -> bool:
        return _key(utterance) in self._index

    def load(self, utterance: Utterance) -> np.ndarray:
        """Return the samples `[N]` int16 at 16 kHz, mapped from the disk.

        Raises:
            DataError: the utterance is not in the cache.
        """
        place = self._index.get(_key(utterance))
        if place is None:
            raise DataError(f"{self.directory}: has no utterance {utterance.id}; build the cache first")
        shard = self.directory / f"{place.shard}.i16"
        try:
            samples = _mapped(shard)[place.start : place.start + place.length]
        except (OSError, ValueError) as error:
            raise DataError(
                f"{shard}: cannot be read ({error}); delete the cache and build it anew"
            ) from error
        if len(samples) < place.length:
            raise DataError(f"{shard}: is cut off; delete the cache and build it anew")
        return samples

    def build(
        self,
        utterances: Sequence[Utterance],
        workers: int = 0,
        progress: Callable[[int, int], object] | None = None,
    ) -> list[AudioError]:
        """Decode what is not here yet, or changed on disk since.

        Args:
            utterances: of any number of manifests.
            workers: threads (decoding runs outside the interpreter's lock); 0 for one a core.
            progress: called with the recordings decoded so far and their number.
        Returns:
            one error for each recording that cannot be used; its utterances are left out.
        Raises:
            DataError: the cache cannot be written.
        """
        wanted: dict[Path, dict[str, Utterance]] = {}
        for utterance in utterances:
            place, key = self._index.get(_key(utterance)), _key(utterance)
            if place is None or place.stamp != list(stamp(utterance.audio_filepath)):
                self._index.pop(key, None)
                wanted.setdefault(utterance.audio_filepath, {})[key] = utterance
        if not wanted:
            return []
        errors: list[AudioError] = []
        entries: dict[str, _Place] = {}
        shard = f"{time.time_ns():020d}-{os.getpid()}"
        files = list(wanted.items())

        def write(out: BinaryIO) -> None:
            end = 0
            with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
                for first in range(0, len(files), FILES_AT_ONCE):
                    decoded = pool.map(lambda item: _decode(*item), files[first : first + FILES_AT_ONCE])
                    for done, (seen, waveforms, problems) in enumerate(decoded, first + 1):
                        errors.extend(problems)
                        for key, samples in waveforms.items():
                            out.write(samples.tobytes())
                            entries[key] = _Place(shard, end, len(samples), seen)
                            end += len(samples)
                        if progress:
                            progress(done, len(files))

        write_file(self.directory / f"{shard}.i16", write)
        if not entries:
            (self.directory / f"{shard}.i16").unlink()
            return errors
        # The index comes last: samples without one, of a build that was killed, are never seen.
        index = json.dumps({key: place[1:] for key, place in entries.items()}).encode()
        write_file(self.directory / f"{shard}.json", lambda out: out.write(index))
        self._index |= entries
        return errors


def _key(utterance: Utterance) -> str:
    return f"{utterance.audio_filepath}|{utterance.offset:.6f}|{utterance.duration:.6f}"


def _decode(
    path: Path, utterances: dict[str, Utterance]
) -> tuple[list[int], dict[str, np.ndarray], list[AudioError]]:
    waveforms, errors = {}, []
    seen = list(stamp(path))
    try:
        recording = np.clip(np.rint(audio.load(path) * 32768), -32768, 32767).astype(np.int16)
    except AudioError as error:
        return seen, {}, [error]
    for key, utterance in utterances.items():
        try:
            waveforms[key] = utterance.cut(recording)
        except AudioError as error:
            errors.append(error)
    return seen, waveforms, errors


@functools.cache
def _mapped(path: Path) -> np.ndarray:
    """Map a file of samples; kept outside the cache object, so that this can be sent to workers."""
    return np.memmap(path, np.int16, "r")
