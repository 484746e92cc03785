"""What was said in a recording, and when."""

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
    """How sure the model is, 0 to 1."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    text: str


@dataclass(frozen=True)
class Transcript:
    """The text of one recording, with its times."""

    path: str | None
    """The file it came from; None for a waveform given as an array."""
    text: str
    duration: float
    """Seconds of the recording."""
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    """Empty where word times were not asked for."""
    warnings: tuple[str, ...] = ()
    """What makes the text doubtful: no speech, probably music or another language, clipped, very quiet."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON; times are rounded to milliseconds.

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
