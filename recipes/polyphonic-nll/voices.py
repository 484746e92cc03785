"""Chorales in four voices by sixteenths: what a network reads before each cell, by intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from rolls import find_continuations

VOICES = 4
REST = -1
FIRST_REFERENCES = (69, 64, 57, 50)
"""Pitch to which the first note of each voice, from soprano to bass, is compared."""
MAX_STEP = 24
"""Largest step of a voice, in semitones, that has a class of its own."""
REST_CLASS, OTHER_CLASS = 2 * MAX_STEP + 1, 2 * MAX_STEP + 2
CLASSES = 2 * MAX_STEP + 3
"""The classes of a cell: steps from the last pitch of the voice, a rest, any other pitch."""
PITCHES = 128
"""A cell of the class of other pitches has one of these with equal probability."""
MAX_INTERVAL = 30
"""Larger intervals, in semitones, count as this large."""
NO_NOTE, UNKNOWN = 2 * MAX_INTERVAL + 1, 2 * MAX_INTERVAL + 2
INTERVALS = 2 * MAX_INTERVAL + 3
"""The tokens of an interval: its size, that of a rest, that of a cell before the piece or not yet decided."""
BAR = 16
"""Sixteenths after which the position counts from 0 again."""
HALF_LIVES = (8, 64)
"""Half-lives of the histograms of pitch classes, in sixteenths."""


@dataclass(frozen=True)
class Voices:
    """A piece in four voices.

    Args:
        pitches: from soprano to bass, -1 for a rest, int `[T, 4]`.
        lags: numbers of sixteenths to look back.
        order: the voices in the order in which they are predicted.
    """

    pitches: np.ndarray
    lags: tuple[int, ...]
    order: tuple[int, ...]
    arrays: tuple[np.ndarray, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pitches = self.pitches.astype(np.int64)
        reference = references(pitches)
        frames = frame_tokens(pitches, reference)
        cells = self._cell_tokens(pitches, reference)
        arrays = frames, cells, relative_histograms(pitches, reference), classes(pitches, reference)
        object.__setattr__(self, "arrays", arrays)

    def __len__(self) -> int:
        return len(self.pitches)

    def window(self, start: int, end: int) -> tuple[np.ndarray, ...]:
        """Return what is known before the sixteenths from `start` to `end`, and their classes.

        Returns:
            tokens of the sixteenth before each, int64 `[N, I]`; tokens of each cell, int64 `[N, 4, J]`;
            histograms, float32 `[N, 4, 12 * 2]`; classes, int64 `[N, 4]`. A token of column j
            belongs to the j-th vocabulary of `frame_vocabularies` and `cell_vocabularies`.
        """
        return tuple(array[start:end] for array in self.arrays)

    def _cell_tokens(self, pitches: np.ndarray, reference: np.ndarray) -> np.ndarray:
        count = len(pitches)
        own = reference[:, :, None]  # [T, 4, 1]; the other voices are compared to it
        columns = [intervals(delay(pitches, lag)[:, None], own) for lag in self.lags]
        for lag, column in zip(self.lags, columns, strict=True):
            column[:lag] = UNKNOWN
        decided = intervals(pitches[:, None], own)
        for turn, voice in enumerate(self.order):
            decided[:, voice, self.order[turn:]] = UNKNOWN
        place, length = find_continuations(pitches)
        repeated = intervals(pitches[place][:, None], own)
        repeated[place < 0] = UNKNOWN
        bucket = np.minimum(np.log2(1 + length).astype(np.int64), 7)
        held = np.minimum(count_equal(pitches), BAR)
        wide = np.broadcast_to(held[:, None], (count, VOICES, VOICES))
        last = np.stack(
            [
                np.broadcast_to((np.arange(count) % BAR)[:, None], reference.shape),
                np.broadcast_to(bucket[:, None], reference.shape),
                np.clip(reference, 0, PITCHES - 1),
            ],
            axis=2,
        )
        return np.concatenate([*columns, decided, repeated, wide, last], axis=2).astype(np.int64)


def frame_vocabularies() -> list[int]:
    """Return the sizes of the vocabularies of the tokens of a sixteenth."""
    return [INTERVALS] * (2 * VOICES) + [BAR]


def cell_vocabularies(lags: tuple[int, ...]) -> list[int]:
    """Return the sizes of the vocabularies of the tokens of a cell."""
    return [INTERVALS] * (VOICES * (len(lags) + 2)) + [BAR + 1] * VOICES + [BAR, 8, PITCHES]


def delay(values: np.ndarray, lag: int) -> np.ndarray:
    """Move rows later by `lag`; the first rows are rests."""
    rests = np.full((min(lag, len(values)), values.shape[1]), REST)
    return np.concatenate([rests, values[:-lag]]) if lag else values


def intervals(pitches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return tokens of the intervals from the reference to pitches."""
    size = np.clip(pitches - reference, -MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL
    return np.where(pitches == REST, NO_NOTE, size)


def references(pitches: np.ndarray) -> np.ndarray:
    """Return the last pitch of each voice before each sixteenth `[T, 4]`.

    Example:
        >>> references(np.array([[70, -1, 55, 50], [-1, 60, 57, 50], [72, 62, 57, 48]])).tolist()
        [[69, 64, 57, 50], [70, 64, 55, 50], [70, 60, 57, 50]]
    """
    reference = np.empty_like(pitches)
    last = np.array(FIRST_REFERENCES)
    for t, row in enumerate(pitches):
        reference[t] = last
        last = np.where(row == REST, last, row)
    return reference


def classes(pitches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the class of each cell `[T, 4]`."""
    step = pitches - reference
    near = np.where(np.abs(step) <= MAX_STEP, step + MAX_STEP, OTHER_CLASS)
    return np.where(pitches == REST, REST_CLASS, near)


def count_equal(pitches: np.ndarray) -> np.ndarray:
    """Return the length of the note or rest that each voice has before each sixteenth `[T, 4]`."""
    equal = np.zeros_like(pitches)
    for t in range(1, len(pitches)):
        equal[t] = 1 if t == 1 else np.where(pitches[t - 1] == pitches[t - 2], equal[t - 1] + 1, 1)
    return equal


def frame_tokens(pitches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the steps and intervals above the bass in the sixteenth before, and the position `[T, 9]`."""
    steps = intervals(pitches, reference)
    above = intervals(pitches, np.where(pitches[:, 3:] == REST, reference[:, 3:], pitches[:, 3:]))
    tokens = np.concatenate([steps, above], axis=1)
    tokens = np.concatenate([np.full_like(tokens[:1], UNKNOWN), tokens[:-1]])
    return np.concatenate([tokens, np.arange(len(tokens))[:, None] % BAR], axis=1)


def relative_histograms(pitches: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return how often each pitch class sounded before each sixteenth, counted from the reference.

    Returns:
        float32 `[T, 4, 12 * 2]`, the sums with the two half-lives.
    """
    sounding = np.zeros((len(pitches), 12), np.float32)
    for voice in range(VOICES):
        times = np.flatnonzero(pitches[:, voice] != REST)
        np.add.at(sounding, (times, pitches[times, voice] % 12), 1.0)
    rotation = (reference[:, :, None] + np.arange(12)) % 12
    parts = []
    for half_life in HALF_LIVES:
        sums, keep = np.zeros_like(sounding), 0.5 ** (1 / half_life)
        for t in range(1, len(sums)):
            sums[t] = keep * sums[t - 1] + (1 - keep) * sounding[t - 1]
        parts.append(np.take_along_axis(sums[:, None], rotation, axis=2))
    return np.concatenate(parts, axis=2, dtype=np.float32)
