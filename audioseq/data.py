"""Manifests, batches of utterances with similar durations, and padding."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from audioseq import audio
from audioseq.errors import AudioError, DataError
from audioseq.files import parse_json, read_text, write_atomically

if TYPE_CHECKING:
    from torch import Tensor

LENGTH_JITTER = 0.1
"""Durations are increased by up to this share before sorting, so that each epoch has other batches."""
MAX_SECONDS = 1e9
"""Largest time in a manifest; in samples, larger ones would overflow."""


@dataclass(frozen=True)
class Utterance:
    """A recording or a part of one, with its transcript."""

    id: str
    audio_filepath: Path
    """Absolute path."""
    duration: float
    """Seconds; infinite if the manifest does not name the end, see `read_manifest`."""
    text: str
    speaker: str | None = None
    offset: float = 0.0
    """Start in the recording, in seconds."""
    dataset: str | None = None

    def load(self, sample_rate: int = audio.SAMPLE_RATE) -> np.ndarray:
        """Decode the waveform `[N]`, float32.

        The last recording is cached, so that consecutive utterances of a recording decode it only once.

        Raises:
            AudioError: the recording cannot be read, or ends before the utterance starts.
        """
        recording = _recording(self.audio_filepath, stamp(self.audio_filepath), sample_rate)
        return self.cut(recording, sample_rate).copy()

    def cut(self, recording: np.ndarray, sample_rate: int = audio.SAMPLE_RATE) -> np.ndarray:
        """Return the part of a decoded recording `[N]` that is this utterance."""
        start = round(self.offset * sample_rate)
        length = len(recording) / sample_rate
        waveform = recording[start : start + max(1, round(min(self.duration, length) * sample_rate))]
        if not len(waveform):
            raise AudioError(
                f"{self.audio_filepath}: has {length:.2f} s, but utterance {self.id} "
                f"starts at {self.offset:.2f} s; correct its offset"
            )
        return waveform


def read_manifest(path: str | os.PathLike[str], *, transcribed: bool = True) -> list[Utterance]:
    """Read a manifest: one JSON object per line, with the field names of NeMo.

    `audio_filepath` (relative to the manifest), `duration` (seconds) and `text` are required. `id` (by
    default the path and the offset, if any), `speaker`, `offset` and `dataset` are optional. Other fields are
    ignored. An id that occurs before gets a number: `a`, `a#2`.

    Args:
        path: path of the manifest.
        transcribed: whether `text` and `duration` are required; if not, a missing text is empty, and a
            missing duration infinite.
    Raises:
        DataError: the manifest cannot be read or is invalid; the message names the line.
    """
    path = Path(path)
    utterances: list[Utterance] = []
    seen: set[str] = set()
    counts: dict[str, int] = {}  # the last number of each id, so that the next one is found at once
    for number, line in enumerate(read_text(path, DataError).split("\n"), 1):
        if not line.strip():
            continue
        try:
            utterance = _utterance(line, path.parent, transcribed)
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from error
        unique, count = utterance.id, counts.get(utterance.id, 1)
        while unique in seen:
            count += 1
            unique = f"{utterance.id}#{count}"
        counts[utterance.id] = count
        seen.add(unique)
        utterances.append(replace(utterance, id=unique))
    if not utterances:
        raise DataError(f"{path}: has no utterances; write one JSON object per line")
    return utterances


def write_manifest(path: str | os.PathLike[str], utterances: Iterable[Utterance]) -> None:
    """Write a manifest; the paths of recordings below its folder are written relative to it.

    Raises:
        FileError: the file cannot be written; an existing file is left unchanged.
    """
    path = Path(path)
    base = Path(os.path.abspath(path.parent))

    def write(file: BinaryIO) -> None:
        for utterance in utterances:
            fields = {key: value for key, value in vars(utterance).items() if value not in (None, 0.0)}
            place = utterance.audio_filepath
            place = place.relative_to(base) if place.is_relative_to(base) else place
            fields["audio_filepath"] = place.as_posix()
            # File names may have bytes that are not UTF-8: Python and JSON escape them alike.
            file.write(json.dumps(fields, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")

    write_atomically(path, write, make_folder=True)


def stamp(path: Path) -> tuple[int, ...]:
    """Return the size and modification time of a file, to detect changes; empty if there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a null character in the path
        return ()
    return status.st_size, status.st_mtime_ns


def length_batches(
    durations: Sequence[float],
    seconds_per_batch: float,
    *,
    seed: int,
    epoch: int,
    shortest_first: bool,
    max_size: int | None = None,
    multiple: int = 1,
) -> list[list[int]]:
    """Group examples of similar duration into batches; each example is in exactly one batch.

    Args:
        durations: durations of the examples in seconds.
        seconds_per_batch: maximum of batch size times longest duration, so padding counts; a longer example
            is a batch of its own.
        seed, epoch: the batches depend only on these and on the durations.
        shortest_first: whether to order the batches from short to long, which CTC needs in its first epoch;
            otherwise their order is random.
        max_size: maximum number of examples in a batch.
        multiple: the numbers of examples are multiples of this one, as fast kernels of GPUs need; except
            batches that would be smaller, and the last one.
    Returns:
        the batches, as lists of indices into `durations`.
    Example:
        >>> length_batches([3.0, 1.0, 2.0, 9.0], 6.0, seed=0, epoch=0, shortest_first=True)
        [[1, 2], [0], [3]]
    """
    random = np.random.default_rng((seed, epoch))
    lengths = np.asarray(durations, dtype=np.float64)
    blurred = lengths if shortest_first else lengths * (1 + LENGTH_JITTER * random.random(len(lengths)))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in np.lexsort((random.random(len(lengths)), blurred)).tolist():  # equal ones in random order
        while batch and (
            max(longest, lengths[index]) * (len(batch) + 1) > seconds_per_batch or len(batch) == max_size
        ):
            size = len(batch) - len(batch) % multiple or len(batch)
            batches.append(batch[:size])
            batch = batch[size:]
            longest = lengths[batch].max(initial=0.0)
        batch.append(index)
        longest = max(longest, lengths[index])
    if batch:
        batches.append(batch)
    if shortest_first:
        return batches
    return [batches[place] for place in random.permutation(len(batches))]


def pad(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack sequences `[T, ...]` to `[B, max T, ...]`, padded with zeros, and return lengths `[B]` int64."""
    import torch

    lengths = torch.tensor([len(sequence) for sequence in sequences])
    return torch.nn.utils.rnn.pad_sequence(list(sequences), batch_first=True), lengths


@functools.lru_cache(maxsize=1)
def _recording(path: Path, stamp: tuple[int, ...], sample_rate: int) -> np.ndarray:
    return audio.load(path, sample_rate)


def _utterance(line: str, base: Path, transcribed: bool) -> Utterance:
    try:
        fields = parse_json(line)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON ({error.msg}, column {error.colno}); write one object per line"
        ) from error
    if not isinstance(fields, dict):
        raise ValueError("is not a JSON object; write {...} with audio_filepath, duration and text")
    place = _string(fields, "audio_filepath")
    offset = _number(fields, "offset") if "offset" in fields else 0.0
    duration = _number(fields, "duration") if transcribed or "duration" in fields else math.inf
    if not place:
        raise ValueError("audio_filepath is empty; give the path of a recording")
    if duration == 0:
        raise ValueError("duration is 0; give the duration of the utterance in seconds")
    return Utterance(
        id=_string(fields, "id") if "id" in fields else place + (f"#{offset:g}" if offset else ""),
        audio_filepath=Path(os.path.abspath(base / place)),
        duration=duration,
        text=_string(fields, "text") if transcribed or "text" in fields else "",
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
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        shown = "missing" if name not in fields else repr(value)
        raise ValueError(f"{name} is {shown}; give seconds, a number from 0 to {MAX_SECONDS:g}")
    return float(value)
