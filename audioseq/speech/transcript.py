"""Transcripts: text, segments and words with timestamps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

PAUSE_SECONDS = 1.0
"""A pause of this length or longer ends a segment, a line of raw text and a subtitle. Pauses between clauses
take 0.3 to 0.8 s; longer ones separate sentences and paragraphs, or speakers."""


@dataclass(frozen=True)
class Word:
    """A word, as recognised or as written: a written word may stand for several spoken ones."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    word: str
    confidence: float
    """Estimated probability that the word is correct, 0 to 1."""
    speaker: str | None = None
    """As in `Segment`."""
    raw: str = ""
    """The recognised words that it stands for; by default the word itself."""

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", self.word)


@dataclass(frozen=True)
class Segment:
    """A stretch of speech between two pauses."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    text: str
    speaker: str | None = None
    """Number of the channel, from 1, if the channels are transcribed separately."""
    raw: str = ""
    """The recognised words; by default the text."""

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", self.text)


@dataclass(frozen=True)
class Transcript:
    """The text of one recording, with timestamps.

    The text has punctuation, capitals and figures if the model recommends it; `raw` has the words as
    recognised.
    """

    path: str | None
    """Path of the recording; None for a waveform or an opened file."""
    text: str
    duration: float
    """Length of the recording in seconds."""
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    """Empty unless words were requested."""
    warnings: tuple[str, ...] = ()
    """Reasons to distrust the text: no speech, probably music or another language, clipped, very quiet,
    truncated or damaged, channels that are silent or cancel each other."""
    offset: float = 0.0
    """Start of the part of the recording that the transcript is of, seconds; its times are relative to it."""
    speakers: tuple[str, ...] = ()
    """The labels of all channels if they are transcribed separately."""
    raw: str = ""
    """The recognised words; by default the text."""
    raw_words: tuple[Word, ...] = ()
    """The recognised words with their times, if they were requested and differ from `words`."""

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", self.text)

    def to_dict(self) -> dict[str, Any]:
        """Return values that JSON can hold, with times rounded to milliseconds.

        Example:
            >>> Transcript("a.wav", "hi", 1.0, (Segment(0.1, 0.30004, "hi"),)).to_dict()["segments"]
            [{'start': 0.1, 'end': 0.3, 'text': 'hi', 'raw': 'hi'}]
        """
        return {
            "path": self.path,
            **({"offset": round(self.offset, 3)} if self.offset else {}),
            "text": self.text,
            "raw": self.raw,
            "duration": round(self.duration, 3),
            "segments": [rounded(segment) for segment in self.segments],
            "words": [rounded(word) for word in self.words],
            "warnings": list(self.warnings),
        }


def split_at_pauses(words: Sequence[Word]) -> list[Sequence[Word]]:
    """Split words at pauses of `PAUSE_SECONDS`.

    Example:
        >>> words = Word(0, 1, "so", 1.0), Word(1.2, 2, "far", 1.0), Word(3, 4, "good", 1.0)
        >>> [to_segment(part).text for part in split_at_pauses(words)]
        ['so far', 'good']
    """
    pauses = [n for n, (a, b) in enumerate(pairwise(words), 1) if b.start - a.end >= PAUSE_SECONDS]
    return [words[first:end] for first, end in pairwise([0, *pauses, len(words)]) if first < end]


def to_segment(words: Sequence[Word]) -> Segment:
    """Return the segment of some words."""
    text, raw = (" ".join(texts) for texts in zip(*((word.word, word.raw) for word in words), strict=True))
    return Segment(words[0].start, words[-1].end, text, raw=raw)


def ends_sentence(text: str) -> bool:
    """Return whether a sentence ends with a text.

    Example:
        >>> [ends_sentence(text) for text in ("rain.", '"Rain?"', "rain,", "7 a.m.")]
        [True, True, False, False]
    """
    return re.search(r"(?<!\b[ap]\.m)[.?!]\W*$", text) is not None


def merge_channels(channels: Sequence[Transcript]) -> Transcript:
    """Merge the transcripts of the channels of a recording by time; each channel is a speaker.

    A warning that all channels have is about the recording; others get the number of the channel.

    Example:
        >>> ask, answer = (
        ...     Transcript("a.wav", text, 5.0, (Segment(start, start + 1, text),))
        ...     for start, text in ((2, "fine"), (1, "well"))
        ... )
        >>> [(segment.speaker, segment.text) for segment in merge_channels([ask, answer]).segments]
        [('2', 'well'), ('1', 'fine')]
    """
    labelled = {str(number): channel for number, channel in enumerate(channels, 1)}
    segments = [replace(s, speaker=label) for label, channel in labelled.items() for s in channel.segments]
    words = [replace(w, speaker=label) for label, channel in labelled.items() for w in channel.words]
    segments.sort(key=lambda segment: segment.start)
    raw_words = [replace(w, speaker=label) for label, channel in labelled.items() for w in channel.raw_words]
    for spoken in (words, raw_words):
        spoken.sort(key=lambda word: word.start)
    first, *others = channels
    shared = [w for w in first.warnings if all(w in other.warnings for other in others)]
    own = [f"channel {n}: {w}" for n, each in labelled.items() for w in each.warnings if w not in shared]
    return replace(
        first,
        text=" ".join(segment.text for segment in segments),
        duration=max(channel.duration for channel in channels),
        segments=tuple(segments),
        words=tuple(words),
        warnings=(*shared, *own),
        speakers=tuple(labelled),
        raw=" ".join(segment.raw for segment in segments),
        raw_words=tuple(raw_words),
    )


def rounded(part: Word | Segment) -> dict[str, Any]:
    """Return the fields that are set, for JSON, with times rounded to milliseconds."""
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(part).items()
        if value is not None
    }
