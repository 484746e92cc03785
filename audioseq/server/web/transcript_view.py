"""A transcript as HTML: words with their times and shaded confidences; styled by `page.css`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from audioseq.speech.transcript import Segment, Transcript, Word

FORMATS = ("txt", "srt", "vtt", "json")
"""Formats that the page offers."""


def pair_words(transcript: Transcript) -> list[tuple[Segment, list[Word]]]:
    """Return the segments of a transcript with their words."""
    words, paired = list(transcript.words), []
    for segment in transcript.segments:
        count = next((n for n, word in enumerate(words) if word.start >= segment.end), len(words))
        paired.append((segment, words[:count]))
        words = words[count:]
    return paired


def segment_html(segment: Segment, words: Sequence[Word], *, first: bool = False) -> str:
    """Return a line with a button for the time of a segment, and one for each of its words.

    A button has the start and end of its sound, in seconds, and a word its confidence; `page.js` plays it.

    Args:
        segment: the segment.
        words: its words.
        first: whether the tabulator key reaches the first word; the arrow keys reach all words.
    """
    spoken = " ".join(_word(word, first and word is words[0]) for word in words) or escape(segment.text)
    time = clock(segment.start)
    return (
        f'<button class="time" {_times(segment.start, segment.end)} aria-label="Play from {time}">{time}'
        f"</button><span>{spoken}</span>"
    )


def clock(seconds: float) -> str:
    """Return a time as `m:ss` or `h:mm:ss`.

    Example:
        >>> clock(4.7), clock(3725)
        ('0:04', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _word(word: Word, reached: bool) -> str:
    percent = round(100 * word.confidence)
    return (
        f'<button class="word" tabindex="{0 if reached else -1}" {_times(word.start, word.end)}'
        f' data-confidence="{percent}" style="--doubt:{100 - percent}%">{escape(word.word)}</button>'
    )


def _times(start: float, end: float) -> str:
    return f'data-start="{start:.3f}" data-end="{end:.3f}"'
