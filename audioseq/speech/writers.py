"""A transcript as text, JSON, tables, subtitles, or annotations for phonetics."""

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
"""Characters in a line of a subtitle."""
_LINES = 2
_PAUSE = 1.0  # seconds of silence that end a subtitle
_LONGEST = 7.0  # seconds of one subtitle
_SHORTEST = 1.0  # seconds that a subtitle stays, where the next one leaves it the time


class _Timed(NamedTuple):
    """A stretch of text and its seconds: a word, a part of a very long one, or a whole subtitle."""

    start: float
    end: float
    text: str


def write(transcript: Transcript, format: str) -> str:
    """Return a transcript in one of the `FORMATS`, ready to be written to a file.

    txt is the text in one line; json one object in one line; tsv a table of segments, in seconds; srt and
    vtt are subtitles of at most two lines of 42 characters. Longer segments are divided by the times of
    their words, or, where the transcript has none, by their numbers of characters. ctm (NIST's table) and
    textgrid (Praat's file) hold the times of words; both are so plain that a library would be longer.

    Raises:
        ConfigError: the format is not known, or needs times of words that the transcript does not have.
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
    return json.dumps(transcript.to_dict()) + "\n"  # ASCII, so it survives every terminal and pipe


def _tsv(transcript: Transcript) -> str:
    rows = (f"{s.start:.3f}\t{s.end:.3f}\t{_one_line(s.text)}\n" for s in transcript.segments)
    return "start\tend\ttext\n" + "".join(rows)


def _srt(transcript: Transcript) -> str:
    # SRT has no way to escape; the arrow is all that could be taken for structure.
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
    """Write NIST's table: recording, channel, start, duration, word, confidence."""
    name = "-" if transcript.path is None else "_".join(Path(transcript.path).stem.split()) or "-"
    return "".join(
        f"{name} 1 {word.start:.3f} {word.end - word.start:.3f} {word.word} {word.confidence:.3f}\n"
        for word in _timed_words(transcript)
    )


def _textgrid(transcript: Transcript) -> str:
    """Write Praat's text file, in its short form: one tier, whose intervals leave no gap."""
    words = _timed_words(transcript)
    duration = max([transcript.duration, *(word.end for word in words)])
    intervals, end = [], 0.0
    for word in [*words, Word(duration, duration, "", 1.0)]:
        if word.start > end:
            intervals.append((end, word.start, ""))
        if word.end > word.start:  # else there was no room for it, and Praat would refuse it
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
        raise ConfigError("ctm and textgrid hold times of words; transcribe with words=True")
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
    """Divide the segments into subtitles that fit on the screen."""
    cues: list[_Timed] = []
    for words in _words(transcript):
        while words:
            count = next((n for n in range(1, len(words)) if not _belongs(words[: n + 1])), len(words))
            shown, words = words[:count], words[count:]
            cues.append(_Timed(shown[0].start, shown[-1].end, " ".join(word.text for word in shown)))
    limits = (
        [after.start for _, after in pairwise(cues)] + [max(transcript.duration, cues[-1].end)]
        if cues
        else []
    )
    return [
        cue._replace(end=min(max(cue.end, cue.start + _SHORTEST), limit))
        for cue, limit in zip(cues, limits, strict=True)
    ]


def _belongs(words: Sequence[_Timed]) -> bool:
    """Say whether the last of the words can stand in one subtitle with those before it."""
    return (
        _wrap(" ".join(word.text for word in words)).count("\n") < _LINES
        and words[-1].end - words[0].start <= _LONGEST
        and words[-1].start - words[-2].end < _PAUSE
    )


def _words(transcript: Transcript) -> Iterator[list[_Timed]]:
    """Yield the words of each segment, none longer than a line, with their times."""
    texts = [segment.text.split() for segment in transcript.segments]
    known = sum(map(len, texts)) == len(transcript.words)
    timed = iter(transcript.words)
    for segment, words in zip(transcript.segments, texts, strict=True):
        if known:
            places = [_Timed(word.start, word.end, word.word) for word in islice(timed, len(words))]
        else:
            places = _spread(words, segment.start, segment.end)
        yield [
            part
            for start, end, text in places
            for part in _spread(textwrap.wrap(text, LINE_LENGTH, break_on_hyphens=False), start, end)
        ]


def _spread(texts: Sequence[str], start: float, end: float) -> list[_Timed]:
    """Share out the time from start to end among texts by their lengths."""
    total = sum(map(len, texts))
    spread, done = [], 0
    for text in texts:
        begin = start + (end - start) * done / total
        done += len(text)
        spread.append(_Timed(begin, start + (end - start) * done / total, text))
    return spread


def _wrap(text: str) -> str:
    return "\n".join(textwrap.wrap(text, LINE_LENGTH, break_on_hyphens=False))


def _times(cue: _Timed, point: str) -> str:
    """Return the line that says from when to when a subtitle is shown: at least a millisecond."""
    start = round(cue.start * 1000)
    return f"{_clock(start, point)} --> {_clock(max(round(cue.end * 1000), start + 1), point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{fraction:03}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
