"""What was said in a recording, and when."""

from __future__ import annotations

from dataclasses import dataclass
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
            "segments": [
                {"start": round(s.start, 3), "end": round(s.end, 3), "text": s.text} for s in self.segments
            ],
            "words": [
                {
                    "start": round(w.start, 3),
                    "end": round(w.end, 3),
                    "word": w.word,
                    "confidence": round(w.confidence, 3),
                }
                for w in self.words
            ],
        }
