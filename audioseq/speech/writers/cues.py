"""Cues of subtitles: what is shown at once, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import NamedTuple

from audioseq.speech.transcript import PAUSE_SECONDS, Transcript
from audioseq.speech.writers.lines import BREAK_COSTS, break_cost, break_lines

MAX_SECONDS = 7.0
"""Maximum duration of the speech in a cue, unless it is one word."""
MIN_SECONDS = 1.0
"""Minimum duration of a cue, unless the next one starts earlier."""
MAX_CHARACTERS_PER_SECOND = 21.0
"""Maximum reading speed, where the speech allows it."""
CUE_COST = 10.0
"""Cost of a cue, in the unit of `BREAK_COSTS`: fewer cues are better."""
SENTENCES_COST = 20.0
"""Cost of each sentence that ends within a cue."""
MISSING_SECOND_COST = 60.0
"""Cost of each second by which a cue is too short for its minimum duration or the reading speed."""
PAUSE_GAIN = 20.0
"""Lower cost of a break for each second of a pause, up to half a second."""


@dataclass(frozen=True)
class SubtitleOptions:
    """The layout of srt and vtt."""

    max_line_width: int = 42
    """Maximum number of characters per line."""
    max_line_count: int = 2
    """Maximum number of lines per subtitle."""
    words: bool = False
    """One subtitle per word instead, with the times of the word."""


class Cue(NamedTuple):
    """A text with its times in seconds: a subtitle, or a word or part of a very long word."""

    start: float
    end: float
    text: str
    speaker: str | None = None


def make_cues(transcript: Transcript, options: SubtitleOptions) -> list[Cue]:
    """Return the subtitles of a transcript, in order; those of different speakers may overlap.

    A pause of `PAUSE_SECONDS` always ends a cue. Between pauses, dynamic programming finds the cues of the
    lowest total cost: they end at sentences, else at clauses and short pauses, are shown long enough to be
    read, and are not too many. A cue that is too short otherwise is shown after its speech, until the next.
    """
    if transcript.speakers:
        by_speaker = (
            cue._replace(speaker=speaker)
            for speaker in transcript.speakers
            for cue in make_cues(_select(transcript, speaker), options)
        )
        return sorted(by_speaker, key=lambda cue: cue.start)
    words = list(_timed_words(transcript))
    if options.words:
        return words
    width = options.max_line_width
    parts = [part for word in words for part in _split_word(word, width)]
    recording_end = max([transcript.duration, *(part.end for part in parts)])
    ends = [after.start for _, after in pairwise(parts)] + [recording_end]
    cues = []
    for first, end in _blocks(parts):
        for start, stop in pairwise(_divide(parts[first:end], ends[first:end], options)):
            shown = parts[first + start : first + stop]
            lines = break_lines([part.text for part in shown], width)
            limit = ends[first + stop - 1]
            needed = shown[0].start + _needed_seconds(sum(map(len, lines)) + len(lines) - 1)
            shown_until = min(max(shown[-1].end, needed), limit)
            cues.append(Cue(shown[0].start, shown_until, "\n".join(lines)))
    return cues


def _select(transcript: Transcript, speaker: str) -> Transcript:
    """Return the part of a transcript that is of one speaker."""
    return replace(
        transcript,
        segments=tuple(segment for segment in transcript.segments if segment.speaker == speaker),
        words=tuple(word for word in transcript.words if word.speaker == speaker),
        speakers=(),
    )


def _timed_words(transcript: Transcript) -> Iterator[Cue]:
    """Yield the words with their times, or else with times in proportion to the number of characters."""
    if transcript.words:
        yield from (Cue(word.start, word.end, word.word) for word in transcript.words)
        return
    for segment in transcript.segments:
        yield from _interpolate(segment.text.split(), segment.start, segment.end)


def _split_word(word: Cue, width: int) -> list[Cue]:
    """Split a word that is longer than a line."""
    texts = [text for part in word.text.split() for text in _slices(part, width)]
    return [word] if len(word.text) <= width else _interpolate(texts, word.start, word.end)


def _slices(text: str, width: int) -> list[str]:
    return [text[first : first + width] for first in range(0, len(text), width)]


def _interpolate(texts: Sequence[str], start: float, end: float) -> list[Cue]:
    """Divide the time from start to end among texts in proportion to their lengths."""
    total = sum(map(len, texts))
    timed, done = [], 0
    for text in texts:
        begin = start + (end - start) * done / total
        done += len(text)
        timed.append(Cue(begin, start + (end - start) * done / total, text))
    return timed


def _blocks(words: Sequence[Cue]) -> Iterator[tuple[int, int]]:
    """Yield the first word and the word after the last of each stretch of speech between pauses."""
    pauses = [n for n, (a, b) in enumerate(pairwise(words), 1) if b.start - a.end >= PAUSE_SECONDS]
    yield from ((first, end) for first, end in pairwise([0, *pauses, len(words)]) if first < end)


def _divide(words: Sequence[Cue], limits: Sequence[float], options: SubtitleOptions) -> list[int]:
    """Return the bounds of the cues of a stretch of speech, as indices of words, from 0 to their number.

    Args:
        limits: the latest end of a cue after each word: where the next word starts.
    """
    costs = [0.0] + [inf] * len(words)  # of the best cues of the first words
    begins = [0] * (len(words) + 1)  # the first word of the last of these cues
    breaks = [break_cost(word.text) for word in words]
    for start in range(len(words)):
        lines, length, characters, sentences = 1, -1, -1, 0
        for end in range(start + 1, len(words) + 1):
            word = words[end - 1]
            length, characters = length + len(word.text) + 1, characters + len(word.text) + 1
            if length > options.max_line_width:
                lines, length = lines + 1, len(word.text)
            is_too_long = word.end - words[start].start > MAX_SECONDS
            if lines > options.max_line_count or (is_too_long and end > start + 1):
                break
            pause = min(0.5, limits[end - 1] - word.end) if end < len(words) else 0.0
            missing = max(0.0, _needed_seconds(characters) - (limits[end - 1] - words[start].start))
            cost = (
                costs[start]
                + CUE_COST
                + SENTENCES_COST * sentences
                + MISSING_SECOND_COST * missing
                + (breaks[end - 1] - PAUSE_GAIN * pause if end < len(words) else 0.0)
            )
            if cost <= costs[end]:
                costs[end], begins[end] = cost, start
            sentences += breaks[end - 1] == BREAK_COSTS["sentence"]
    bounds = [len(words)]
    while bounds[-1]:
        bounds.append(begins[bounds[-1]])
    return bounds[::-1]


def _needed_seconds(characters: int) -> float:
    return max(MIN_SECONDS, characters / MAX_CHARACTERS_PER_SECOND)
