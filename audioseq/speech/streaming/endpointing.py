"""Endpointing: where a segment of a stream ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audioseq.text.tokenizer import BLANK

KEPT_SECONDS = 0.3
"""Silence that is kept before a segment: a word may begin softly."""
LONGEST_OVERRUN = 1.25
"""A segment without any silence ends at this multiple of the maximum length."""


@dataclass(frozen=True)
class Endpointing:
    """Rules that end a segment, all in seconds. Frames are silent if their best token is the blank.

    The longer a segment is, the shorter is the silence that ends it: `trailing_silence` at its start, none at
    `max_seconds`. So even fluent speech is divided between words, as offline decoding does at the quietest
    point.
    """

    trailing_silence: float = 0.8
    """Silence after a word that ends the segment."""
    max_seconds: float = 20.0
    """Speech without such a silence after which the segment ends at the next silent frame."""
    no_speech_seconds: float = 5.0
    """Time without a word after which the silence is dropped."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"{name} is {value}, but must be above 0")

    def find(self, best: NDArray[np.integer], frame_seconds: float) -> int | None:
        """Return the first frame of the next segment; None if the segment has not ended.

        Args:
            best: the best token of each frame of the segment so far `[T]`.
            frame_seconds: seconds between frames.
        Example:
            >>> Endpointing(trailing_silence=0.4).find(np.array([0, 3, 3, 0, 0]), 0.1) is None
            True
            >>> Endpointing(trailing_silence=0.4).find(np.array([0, 3, 3, 0, 0, 0, 0]), 0.1)
            5
        """
        spoken = np.flatnonzero(best != BLANK)
        kept = round(KEPT_SECONDS / frame_seconds)
        if not len(spoken):
            return len(best) - kept if len(best) * frame_seconds >= self.no_speech_seconds else None
        seconds = (len(best) - int(spoken[0])) * frame_seconds
        silent = len(best) - 1 - int(spoken[-1])
        needed = self.trailing_silence * max(0.0, 1 - seconds / self.max_seconds)
        if silent and silent * frame_seconds >= needed:
            return len(best) - min(silent // 2, kept)
        return len(best) if seconds >= LONGEST_OVERRUN * self.max_seconds else None
