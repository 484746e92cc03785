"""Pieces as events, read from MIDI files, and kept in one file for the next time."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np

from audioseq.errors import AudioseqError
from audioseq.files import write_atomically
from audioseq.midi import Score
from audioseq.music.config import DataConfig
from audioseq.music.data.corpora import PieceEntry, read_manifest
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import LOWEST, Conditions
from audioseq.music.representation.grid import Piece, to_grid
from audioseq.music.representation.tokenizer import conditions_of, decode, encode, features


@dataclass(frozen=True)
class Example:
    """A piece as events.

    Args:
        id: its name, on which its augmentation depends.
        events: `[E, 6]` int16, as `tokenizer.encode` gives them.
        conditions: what one would ask for to get it.
    """

    id: str
    events: np.ndarray
    conditions: Conditions

    def written(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the events with pitches as they are written in C major or A minor, and the model's input."""
        events = self.events.copy()
        notes = events[:, v.PITCH] >= 0
        events[notes, v.PITCH] -= self.conditions.shift + LOWEST
        return events, features(self.events, self.conditions)

    def piece(self) -> Piece:
        """Return the music, at the tempo of its class."""
        return decode(self.events.tolist(), self.conditions.programs, v.class_tempo(self.conditions.tempo))


def read_data(data: DataConfig) -> tuple[list[Example], list[Example]]:
    """Read the pieces of both manifests, to train on and to validate on; from the cache if it holds these.

    Raises:
        DataError: a manifest cannot be read.
    """
    tunes = [[tune for path in paths for tune in read_manifest(path)] for paths in (data.train, data.valid)]
    cache = data.cache
    key = hashlib.sha256(json.dumps([[t.id, str(t.midi_filepath), t.style] for t in chain(*tunes)]).encode())
    if cache is not None and cache.is_file():
        with np.load(cache, allow_pickle=False) as stored:
            if str(stored["key"]) == key.hexdigest():
                found = _unpack(stored["events"], json.loads(str(stored["pieces"])))
                return found[: int(stored["train"])], found[int(stored["train"]) :]
    parts = [read(part) for part in tunes]
    if cache is not None:
        together = [example for part in parts for example in part]
        pieces = [(example.id, len(example.events), asdict(example.conditions)) for example in together]
        buffer = io.BytesIO()
        np.savez(
            buffer,
            key=np.array(key.hexdigest()),
            train=np.array(len(parts[0])),
            pieces=np.array(json.dumps(pieces)),
            events=np.concatenate([example.events for example in together]),
        )
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cache, lambda file: file.write(buffer.getbuffer()))
    return parts[0], parts[1]


def _unpack(events: np.ndarray, pieces: Sequence[tuple[str, int, dict]]) -> list[Example]:  # type: ignore[type-arg]
    examples, start = [], 0
    for name, length, asked in pieces:
        conditions = Conditions(**{**asked, "programs": tuple(asked["programs"])})
        examples.append(Example(name, events[start : start + length], conditions))
        start += length
    return examples


def read(tunes: Sequence[PieceEntry]) -> list[Example]:
    """Read MIDI files; one that is bad is told of and left out."""
    examples = []
    for tune in tunes:
        try:
            piece = to_grid(Score.load(tune.midi_filepath))
        except AudioseqError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        examples.append(Example(tune.id, encode(piece), conditions_of(piece, v.STYLES.index(tune.style))))
    return examples
