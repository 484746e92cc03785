"""Transcripts: text, segments and words with timestamps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """One spoken word."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    word: str
    confidence: float
    """Estimated probability that the word is correct, 0 to 1."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """The text of one recording, with timestamps."""

    path: str | None
    """Path of the recording; None for a waveform or an opened file."""
    text: str
    duration: float
    """Length of the recording in seconds."""
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    """Empty unless words were requested."""
    warnings: tuple[str, ...] = ()
    """Reasons to distrust the text: no speech, probably music or another language, clipped, very quiet."""

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold, with times rounded to milliseconds.

        Example:
            >>> Transcript("a.wav", "hi", 1.0, (Segment(0.1, 0.30004, "hi"),)).to_dict()["segments"]
            [{'start': 0.1, 'end': 0.3, 'text': 'hi'}]
        """
        return {
            "path": self.path,
            "text": self.text,
            "duration": round(self.duration, 3),
            "segments": [_rounded(segment) for segment in self.segments],
            "words": [_rounded(word) for word in self.words],
            "warnings": list(self.warnings),
        }


def _rounded(part: Word | Segment) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(part).items()
    }
