"""Manifests, a cache of decoded recordings, batches of like length, and padding."""

from __future__ import annotations

import functools
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from audioseq import audio
from audioseq.checkpoint import write_atomically
from audioseq.errors import AudioError, CheckpointError, DataError

FILES_AT_ONCE = 256
"""Recordings decoded before they are written to the cache; bounds the memory of building it."""
LENGTH_JITTER = 0.1
"""Durations are stretched by up to this share before they are sorted, so that no two epochs batch alike."""


@dataclass(frozen=True)
class Utterance:
    """A recording, or a stretch of one, and what is said in it."""

    id: str
    audio_filepath: Path
    """Absolute."""
    duration: float
    """Seconds."""
    text: str
    speaker: str | None = None
    offset: float = 0.0
    """Where in the recording it starts, seconds."""
    dataset: str | None = None

    def load(self, sample_rate: int = audio.SAMPLE_RATE) -> np.ndarray:
        """Decode the waveform `[N]` float32; AudioError as in `audio.load`, or if it starts past the end."""
        return self.cut(audio.load(self.audio_filepath, sample_rate), sample_rate)

    def cut(self, recording: np.ndarray, sample_rate: int = audio.SAMPLE_RATE) -> np.ndarray:
        """Return the stretch of the decoded recording `[N]` that is this utterance."""
        start = round(self.offset * sample_rate)
        waveform = recording[start : start + max(1, round(self.duration * sample_rate))]
        if not len(waveform):
            raise AudioError(
                f"{self.audio_filepath}: has {len(recording) / sample_rate:.2f} s, but utterance {self.id} "
                f"starts at {self.offset:.2f} s; correct its offset"
            )
        return waveform


def read_manifest(path: str | os.PathLike[str]) -> list[Utterance]:
    """Read a manifest: one JSON object a line, with the field names that NeMo made common.

    `audio_filepath` (relative to the manifest), `duration` (seconds) and `text` must be there; `id` (else the
    path and the offset, if any), `speaker`, `offset` and `dataset` may be; other fields are ignored.

    Raises:
        DataError: naming file and line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    utterances: list[Utterance] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            utterance = _utterance(line, path.parent)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        if (first := seen.setdefault(utterance.id, number)) != number:
            raise DataError(
                f"{path}:{number}: id {utterance.id!r} is that of line {first}; give each its own"
            )
        utterances.append(utterance)
    if not utterances:
        raise DataError(f"{path}: has no utterances; write one JSON object a line")
    return utterances


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write a manifest that `read_manifest` reads back equal; recordings below its folder get relative paths.

    Raises:
        DataError: the file cannot be written; one that was there before is left as it was.
    """
    path = Path(path)
    base = Path(os.path.abspath(path.parent))

    def write(file: BinaryIO) -> None:
        for utterance in utterances:
            fields = {key: value for key, value in vars(utterance).items() if value not in (None, 0.0)}
            place = utterance.audio_filepath
            place = place.relative_to(base) if place.is_relative_to(base) else place
            fields["audio_filepath"] = place.as_posix()
            file.write(json.dumps(fields, ensure_ascii=False).encode() + b"\n")

    _replace(path, write)


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
            if place is None or place.stamp != _stamp(utterance.audio_filepath):
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
                    for done, (stamp, waveforms, problems) in enumerate(decoded, first + 1):
                        errors.extend(problems)
                        for key, samples in waveforms.items():
                            out.write(samples.tobytes())
                            entries[key] = _Place(shard, end, len(samples), stamp)
                            end += len(samples)
                        if progress:
                            progress(done, len(files))

        _replace(self.directory / f"{shard}.i16", write)
        if not entries:
            (self.directory / f"{shard}.i16").unlink()
            return errors
        # The index comes last: samples without one, of a build that was killed, are never seen.
        index = json.dumps({key: place[1:] for key, place in entries.items()}).encode()
        _replace(self.directory / f"{shard}.json", lambda out: out.write(index))
        self._index |= entries
        return errors


def length_batches(
    durations: Sequence[float],
    seconds_per_batch: float,
    *,
    seed: int,
    epoch: int,
    shortest_first: bool,
    max_size: int | None = None,
) -> list[list[int]]:
    """Group examples of like length, padding counted; every example is in one batch.

    Args:
        durations: of the examples, seconds.
        seconds_per_batch: bound of batch size times longest duration; an example longer than it stands alone.
        seed, epoch: the batches depend on these and the durations alone.
        shortest_first: order from short to long (which CTC needs in its first epoch), else order at random.
        max_size: greatest number of examples in a batch.
    Returns:
        indices into `durations`, a list a batch.
    Example:
        >>> length_batches([3.0, 1.0, 2.0, 9.0], 6.0, seed=0, epoch=0, shortest_first=True)
        [[1, 2], [0], [3]]
    """
    random = np.random.default_rng((seed, epoch))
    lengths = np.asarray(durations, dtype=np.float64)
    blurred = lengths if shortest_first else lengths * (1 + LENGTH_JITTER * random.random(len(lengths)))
    ties = random.random(len(lengths))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in np.lexsort((ties, blurred)).tolist():
        longest = max(longest, lengths[index])
        if batch and (longest * (len(batch) + 1) > seconds_per_batch or len(batch) == max_size):
            batches.append(batch)
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        batches.append(batch)
    if shortest_first:
        return batches
    return [batches[place] for place in random.permutation(len(batches))]


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack sequences `[T, ...]` to `[B, max T, ...]`, zeros behind each; also return lengths `[B]` int64."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True), lengths


def _utterance(line: str, base: Path) -> Utterance:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON ({error.msg}, column {error.colno}); write one object a line"
        ) from error
    if not isinstance(fields, dict):
        raise ValueError("is not a JSON object; write {...} with audio_filepath, duration and text")
    place = _string(fields, "audio_filepath")
    offset = _number(fields, "offset") if "offset" in fields else 0.0
    duration = _number(fields, "duration")
    if not place:
        raise ValueError("audio_filepath is empty; name a recording")
    if duration == 0:
        raise ValueError("duration is 0; give the seconds of the utterance")
    return Utterance(
        id=_string(fields, "id") if "id" in fields else place + (f"#{offset:g}" if offset else ""),
        audio_filepath=Path(os.path.abspath(base / place)),
        duration=duration,
        text=_string(fields, "text"),
        speaker=_string(fields, "speaker") if fields.get("speaker") is not None else None,
        offset=offset,
        dataset=_string(fields, "dataset") if fields.get("dataset") is not None else None,
    )


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {'missing' if name not in fields else repr(value)}; give a string")
    return value


def _number(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        shown = "missing" if name not in fields else repr(value)
        raise ValueError(f"{name} is {shown}; give seconds, a number of at least 0")
    return float(value)


def _key(utterance: Utterance) -> str:
    return f"{utterance.audio_filepath}|{utterance.offset:.6f}|{utterance.duration:.6f}"


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _decode(
    path: Path, utterances: dict[str, Utterance]
) -> tuple[list[int], dict[str, np.ndarray], list[AudioError]]:
    stamp, waveforms, errors = _stamp(path), {}, []
    try:
        recording = np.clip(np.rint(audio.load(path) * 32768), -32768, 32767).astype(np.int16)
    except AudioError as error:
        return stamp, {}, [error]
    for key, utterance in utterances.items():
        try:
            waveforms[key] = utterance.cut(recording)
        except AudioError as error:
            errors.append(error)
    return stamp, waveforms, errors


@functools.cache
def _mapped(path: Path) -> np.ndarray:
    """Map a file of samples; kept outside the cache object, so that this can be sent to workers."""
    return np.memmap(path, np.int16, "r")


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file whole or not at all, in a folder that is made where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); check space and place") from error
    except CheckpointError as error:
        raise DataError(str(error)) from error
