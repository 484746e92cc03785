"""Training examples: pieces as events, read from MIDI files and cached in one file."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np

from audioseq.files import write_bytes
from audioseq.music.config import DataConfig
from audioseq.music.data.corpora import PieceEntry, read_manifest
from audioseq.music.representation import vocabulary as v
from audioseq.music.representation.event_state import LOWEST_RELATIVE_PITCH, Conditions
from audioseq.music.representation.grid import Piece, read_piece
from audioseq.music.representation.tokenizer import conditions_of, decode, encode, features


@dataclass(frozen=True)
class Example:
    """A piece as events.

    Args:
        id: name of the piece; augmentation depends on it.
        events: result of `tokenizer.encode` `[E, 6]` int16.
        conditions: the conditions that describe the piece.
    """

    id: str
    events: np.ndarray
    conditions: Conditions

    def model_arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the events with indices of relative pitches `[E, 6]`, and the input `[E, FEATURES]`."""
        events = self.events.copy()
        notes = events[:, v.PITCH] >= 0
        events[notes, v.PITCH] -= self.conditions.shift + LOWEST_RELATIVE_PITCH
        return events, features(self.events, self.conditions)

    def piece(self) -> Piece:
        """Return the piece, at the tempo of its tempo class."""
        return decode(self.events.tolist(), self.conditions.programs, v.class_tempo(self.conditions.tempo))


def read_data(data: DataConfig) -> tuple[list[Example], list[Example]]:
    """Return the training and the validation examples, from the cache if it has those of the manifests.

    Raises:
        DataError: a manifest is invalid.
    """
    sets = [[entry for path in paths for entry in read_manifest(path)] for paths in (data.train, data.valid)]
    listing = [[entry.id, str(entry.midi_filepath), entry.style] for entry in chain(*sets)]
    key = hashlib.sha256(json.dumps(listing).encode()).hexdigest()
    if data.cache is not None and data.cache.is_file():
        with np.load(data.cache, allow_pickle=False) as stored:
            if str(stored["key"]) == key:
                found = _unpack(stored["events"], json.loads(str(stored["pieces"])))
                return found[: int(stored["train"])], found[int(stored["train"]) :]
    train, valid = map(read_examples, sets)
    if not valid and len(train) > 1:
        valid.append(train.pop())
        print(f"no validation piece can be used: {valid[0].id} is held out instead", file=sys.stderr)
    if data.cache is not None and (examples := train + valid):
        pieces = [(example.id, len(example.events), asdict(example.conditions)) for example in examples]
        events = np.concatenate([example.events for example in examples])
        buffer = io.BytesIO()
        np.savez(buffer, key=key, train=len(train), pieces=json.dumps(pieces), events=events)
        write_bytes(data.cache, buffer.getbuffer(), make_folder=True)
    return train, valid


def _unpack(events: np.ndarray, pieces: Sequence[tuple[str, int, dict]]) -> list[Example]:  # type: ignore[type-arg]
    examples, start = [], 0
    for name, length, fields in pieces:
        conditions = Conditions(**{**fields, "programs": tuple(fields["programs"])})
        examples.append(Example(name, events[start : start + length], conditions))
        start += length
    return examples


def read_examples(entries: Sequence[PieceEntry]) -> list[Example]:
    """Read MIDI files; an unreadable one is reported on stderr and skipped."""
    examples = []
    for entry in entries:
        piece = read_piece(entry.midi_filepath, lambda line: print(line, file=sys.stderr))
        if piece is not None:
            conditions = conditions_of(piece, v.STYLES.index(entry.style))
            examples.append(Example(entry.id, encode(piece), conditions))
    return examples
