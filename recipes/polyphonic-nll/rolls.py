"""Piano rolls: what a network reads before each frame, and the range of keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from audioseq.midi import Note, Score

LOWEST_PITCH = 21
"""MIDI pitch of key 0."""
FRAME_SECONDS = 0.5
"""Duration of a frame in `to_score`: a quarter at 120 a minute."""
VELOCITY = 80
"""Velocity of the notes of `to_score`, 1 to 127."""
MATCH_FRAMES = (1, 4, 16)
"""A repeated passage is in the channel of the largest of these lengths, in frames, that it reaches."""
MAX_HELD_FRAMES = 63
"""Longer notes count as this long."""


class KeyRange(NamedTuple):
    """The keys of the training pieces. The network computes these; the others have a fixed probability.

    Args:
        low, high: the lowest key, and the one after the highest.
        outside: probability of each other key in each frame, by Laplace's rule of succession.
    """

    low: int
    high: int
    outside: float

    @classmethod
    def of(cls, pieces: Sequence[np.ndarray]) -> KeyRange:
        """Find the range of training pieces `[T, 88]`."""
        keys = np.flatnonzero(np.any([piece.any(axis=0) for piece in pieces], axis=0))
        return cls(int(keys[0]), int(keys[-1]) + 1, 1 / (2 + sum(map(len, pieces))))


@dataclass(frozen=True)
class Roll:
    """A piano roll in the range of keys of a network.

    Args:
        frames: whether each key sounds, uint8 `[T, K]`.
        outside: negative log-likelihood of the keys outside the range, in nats, float32 `[T]`.
        lags: numbers of frames to look back, see `window`.
    """

    frames: np.ndarray
    outside: np.ndarray
    lags: tuple[int, ...]
    held: np.ndarray = field(init=False, repr=False)
    continuation: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", count_held(self.frames))
        object.__setattr__(self, "continuation", find_continuations(self.frames))

    @classmethod
    def of(cls, piece: np.ndarray, keys: KeyRange, lags: tuple[int, ...]) -> Roll:
        """Cut a piece `[T, 88]` to a range of keys."""
        inside = np.ascontiguousarray(piece[:, keys.low : keys.high])
        sounding = piece.sum(axis=1, dtype=np.int64) - inside.sum(axis=1, dtype=np.int64)
        silent = piece.shape[1] - inside.shape[1] - sounding
        outside = -sounding * np.log(keys.outside) - silent * np.log1p(-keys.outside)
        return cls(inside, outside.astype(np.float32), lags)

    def __len__(self) -> int:
        return len(self.frames)

    def window(self, start: int, end: int) -> tuple[np.ndarray, ...]:
        """Return the frames from `start` to `end`, and what is known before each of them.

        Returns:
            history, float32 `[N, C, K]`, with the channels: the frame at each lag; for how long each key has
            sounded (logarithmic); the frame that followed the last occurrence of the present passage, in
            the channel of the length of the passage. Then the frames, float32 `[N, K]`, and `outside` `[N]`.
        """
        times = np.arange(start, end)
        padded = np.concatenate([np.zeros_like(self.frames[:1]), self.frames])
        channels = [padded[np.maximum(times - lag + 1, 0)] for lag in self.lags]
        channels.append(np.log2(1.0 + self.held[start:end]) / 4)
        place, length = (values[start:end] for values in self.continuation)
        for low, high in zip(MATCH_FRAMES, (*MATCH_FRAMES[1:], np.inf), strict=True):
            channels.append(padded[place + 1] * ((length >= low) & (length < high))[:, None])
        history = np.stack(channels, axis=1, dtype=np.float32)
        return history, self.frames[start:end].astype(np.float32), self.outside[start:end]


def channel_count(lags: tuple[int, ...]) -> int:
    """Return the number of channels C of the history of `Roll.window`."""
    return len(lags) + 1 + len(MATCH_FRAMES)


def count_held(frames: np.ndarray) -> np.ndarray:
    """Return for how many frames before each frame each key has sounded without a break, uint8 `[T, K]`.

    Example:
        >>> count_held(np.array([[1], [1], [0], [1]], np.uint8)).flatten().tolist()
        [0, 1, 2, 0]
    """
    held = np.zeros_like(frames)
    for t in range(1, len(held)):
        held[t] = np.minimum(held[t - 1] + 1, MAX_HELD_FRAMES) * frames[t - 1]
    return held


def find_continuations(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find what followed the last occurrence of the passage before each frame.

    For frame t this is the frame j < t before which the most frames equal those before t; the latest j, if
    there are several. It depends only on the frames before t.

    Args:
        frames: `[T, K]`.
    Returns:
        j for each frame, -1 if the frame before it is new, int64 `[T]`; and the number of equal frames
        before both, int64 `[T]`.
    Example:
        >>> place, length = find_continuations(np.array([[1], [2], [3], [1], [2], [3]]))
        >>> place.tolist(), length.tolist()
        ([-1, -1, -1, -1, 1, 2], [0, 0, 0, 0, 1, 2])
    """
    symbols = np.unique(frames, axis=0, return_inverse=True)[1].reshape(-1)
    count = len(symbols)
    place, length = np.full(count, -1), np.zeros(count, np.int64)
    equal = np.zeros(count, np.int64)  # equal[j]: number of equal frames before frames j and t
    for t in range(1, count):
        equal[1:t] = np.where(symbols[: t - 1] == symbols[t - 1], equal[: t - 1] + 1, 0)
        best = t - 1 - int(np.argmax(equal[:t][::-1]))
        if equal[best]:
            place[t], length[t] = best, equal[best]
    return place, length


def to_score(frames: np.ndarray) -> Score:
    """Convert a piano roll `[T, 88]` to a score; a key that sounds in adjacent frames is one note.

    Example:
        >>> roll = np.zeros((4, 88), np.uint8)
        >>> roll[1:3, 39] = 1
        >>> [(note.pitch, note.onset, note.duration) for note in to_score(roll).notes]
        [(60, 0.5, 1.0)]
    """
    edges = np.diff(np.pad(frames.astype(np.int8), ((1, 1), (0, 0))), axis=0)
    keys, starts = np.nonzero(edges.T == 1)
    ends = np.nonzero(edges.T == -1)[1]
    return Score(
        tuple(
            Note(LOWEST_PITCH + int(key), VELOCITY, start * FRAME_SECONDS, (end - start) * FRAME_SECONDS)
            for key, start, end in zip(keys, starts.tolist(), ends.tolist(), strict=True)
        )
    )
