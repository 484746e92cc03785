"""Transcript formats: plain text, JSON, tables, subtitles and phonetic annotations."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from audioseq.errors import ConfigError
from audioseq.speech.transcript import Transcript, Word

LINE_LENGTH = 42
"""Maximum number of characters per subtitle line."""
_MAX_LINES = 2
_PAUSE_SECONDS = 1.0  # a longer pause starts a new subtitle
_MAX_SECONDS = 7.0  # maximum duration of a subtitle
_MIN_SECONDS = 1.0  # minimum duration of a subtitle, unless the next one starts earlier


class _Timed(NamedTuple):
    """A text with its times in seconds: a word, a part of a very long word, or a subtitle."""

    start: float
    end: float
    text: str


def write(transcript: Transcript, format: str) -> str:
    """Return a transcript in one of the `FORMATS`, as the content of a file.

    txt is the text on one line; json one object on one line; tsv a table of segments, with times in seconds;
    srt and vtt are subtitles of at most two lines of 42 characters. Longer segments are split by the
    timestamps of their words or, without these, in proportion to the number of characters. ctm (NIST) and
    textgrid (Praat) contain word timestamps; both are simpler to write than to take from a library.

    Raises:
        ConfigError: the format is unknown, or needs word timestamps that the transcript does not have.
    Example:
        >>> from audioseq.speech.transcript import Segment
        >>> print(write(Transcript("a.wav", "hello", 2.0, (Segment(0.5, 1.75, "hello"),)), "srt"))
        1
        00:00:00,500 --> 00:00:01,750
        hello
        <BLANKLINE>
    """
    if format not in _WRITERS:
        raise ConfigError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    return _WRITERS[format](transcript)


def _txt(transcript: Transcript) -> str:
    return f"{_one_line(transcript.text)}\n"


def _json(transcript: Transcript) -> str:
    return json.dumps(transcript.to_dict()) + "\n"  # ASCII, which every terminal and pipe can encode


def _tsv(transcript: Transcript) -> str:
    rows = (f"{s.start:.3f}\t{s.end:.3f}\t{_one_line(s.text)}\n" for s in transcript.segments)
    return "start\tend\ttext\n" + "".join(rows)


def _srt(transcript: Transcript) -> str:
    # SRT has no escapes; only the arrow could be mistaken for structure.
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{_wrap(cue.text.replace('-->', '->'))}\n"
        for number, cue in enumerate(_cues(transcript), start=1)
    )


def _vtt(transcript: Transcript) -> str:
    cues = (
        f"\n{_times(cue, '.')}\n{html.escape(_wrap(cue.text), quote=False)}\n" for cue in _cues(transcript)
    )
    return "WEBVTT\n" + "".join(cues)


def _ctm(transcript: Transcript) -> str:
    """Format as NIST's CTM: recording, channel, start, duration, word, confidence."""
    name = "-" if transcript.path is None else "_".join(Path(transcript.path).stem.split()) or "-"
    return "".join(
        f"{name} 1 {word.start:.3f} {word.end - word.start:.3f} {word.word} {word.confidence:.3f}\n"
        for word in _timed_words(transcript)
    )


def _textgrid(transcript: Transcript) -> str:
    """Format as Praat's short text file: one tier of intervals without gaps."""
    words = _timed_words(transcript)
    duration = max([transcript.duration, *(word.end for word in words)])
    intervals, end = [], 0.0
    for word in [*words, Word(duration, duration, "", 1.0)]:
        if word.start > end:
            intervals.append((end, word.start, ""))
        if word.end > word.start:  # Praat refuses empty intervals
            intervals.append((word.start, word.end, word.word.replace('"', '""')))
        end = word.end
    head = ["0", f"{duration:.6f}"]
    rows = [f'{start:.6f}\n{until:.6f}\n"{text}"' for start, until, text in intervals]
    tier = ['"IntervalTier"', '"words"', *head, str(len(rows)), *rows]
    return "\n".join(
        ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *head, "<exists>", "1", *tier, ""]
    )


def _timed_words(transcript: Transcript) -> tuple[Word, ...]:
    if transcript.text and not transcript.words:
        raise ConfigError("ctm and textgrid need word timestamps; transcribe with words=True")
    return transcript.words


_WRITERS: dict[str, Callable[[Transcript], str]] = {
    "txt": _txt,
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "tsv": _tsv,
    "ctm": _ctm,
    "textgrid": _textgrid,
}
FORMATS = tuple(_WRITERS)


def _cues(transcript: Transcript) -> list[_Timed]:
    """Split the segments into subtitles."""
    cues: list[_Timed] = []
    for words in _words(transcript):
        while words:
            count = next((n for n in range(1, len(words)) if not _fits(words[: n + 1])), len(words))
            cue, words = words[:count], words[count:]
            cues.append(_Timed(cue[0].start, cue[-1].end, " ".join(word.text for word in cue)))
    limits = (
        [after.start for _, after in pairwise(cues)] + [max(transcript.duration, cues[-1].end)]
        if cues
        else []
    )
    return [
        cue._replace(end=min(max(cue.end, cue.start + _MIN_SECONDS), limit))
        for cue, limit in zip(cues, limits, strict=True)
    ]


def _fits(words: Sequence[_Timed]) -> bool:
    """Return whether the last word can be in one subtitle with the words before it."""
    return (
        _wrap(" ".join(word.text for word in words)).count("\n") < _MAX_LINES
        and words[-1].end - words[0].start <= _MAX_SECONDS
        and words[-1].start - words[-2].end < _PAUSE_SECONDS
    )


def _words(transcript: Transcript) -> Iterator[list[_Timed]]:
    """Yield the words of each segment with their times; words longer than a line are split."""
    texts = [segment.text.split() for segment in transcript.segments]
    known = sum(map(len, texts)) == len(transcript.words)
    timed = iter(transcript.words)
    for segment, words in zip(transcript.segments, texts, strict=True):
        if known:
            spans = [_Timed(word.start, word.end, word.word) for word in islice(timed, len(words))]
        else:
            spans = _interpolate(words, segment.start, segment.end)
        yield [
            part
            for start, end, text in spans
            for part in _interpolate(textwrap.wrap(text, LINE_LENGTH, break_on_hyphens=False), start, end)
        ]


def _interpolate(texts: Sequence[str], start: float, end: float) -> list[_Timed]:
    """Divide the time from start to end among texts in proportion to their lengths."""
    total = sum(map(len, texts))
    timed, done = [], 0
    for text in texts:
        begin = start + (end - start) * done / total
        done += len(text)
        timed.append(_Timed(begin, start + (end - start) * done / total, text))
    return timed


def _wrap(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_LENGTH, break_on_hyphens=False))


def _times(cue: _Timed, point: str) -> str:
    """Return the line with the start and end of a subtitle, at least a millisecond apart."""
    start = round(cue.start * 1000)
    return f"{_clock(start, point)} --> {_clock(max(round(cue.end * 1000), start + 1), point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{fraction:03}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
