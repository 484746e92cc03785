"""Transcript formats: plain text, JSON, tables, subtitles and phonetic annotations."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from audioseq.errors import ConfigError
from audioseq.files import printable
from audioseq.speech.transcript import PAUSE_SECONDS, Transcript, Word

_MAX_SECONDS = 7.0  # maximum duration of a subtitle
_MIN_SECONDS = 1.0  # minimum duration of a subtitle, unless the next one starts earlier


@dataclass(frozen=True)
class SubtitleOptions:
    """The layout of srt and vtt."""

    max_line_width: int = 42
    """Maximum number of characters per line."""
    max_line_count: int = 2
    """Maximum number of lines per subtitle."""
    words: bool = False
    """One subtitle per word instead, with the times of the word."""


class _Timed(NamedTuple):
    """A text with its times in seconds: a word, a part of a very long word, or a subtitle."""

    start: float
    end: float
    text: str
    speaker: str | None = None


def write(transcript: Transcript, format: str, subtitles: SubtitleOptions | None = None) -> str:
    """Return a transcript in one of the `FORMATS`, as the content of a file.

    txt is the text, with a new line at each pause of `PAUSE_SECONDS`; json one object on one line; tsv a
    table of segments, with times in seconds; srt and vtt are subtitles, by default of at most two lines of 42
    characters. Longer segments are split by the timestamps of their words or, without these, in proportion to
    the number of characters. ctm (NIST) and textgrid (Praat) contain word timestamps; both are simpler to
    write than to take from a library.

    If the channels are transcribed separately, a line of txt and a subtitle of srt begin with `1: `, vtt has
    voices, tsv a column, json a field, ctm the channel, and textgrid a tier for each channel.

    Args:
        transcript: the transcript.
        format: one of the `FORMATS`.
        subtitles: layout of srt and vtt.
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
    if format not in FORMATS:
        raise ConfigError(f"unknown format {format!r}; choose from {', '.join(FORMATS)}")
    if format in ("srt", "vtt"):
        layout = subtitles or SubtitleOptions()
        if format == "vtt":
            return _vtt(_cues(transcript, layout))
        label = max((len(_label(speaker)) for speaker in transcript.speakers), default=0)
        layout = replace(layout, max_line_width=max(1, layout.max_line_width - label))
        return _srt(_cues(transcript, layout))
    return _WRITERS[format](transcript)


def _txt(transcript: Transcript) -> str:
    if not transcript.segments:
        return f"{_one_line(transcript.text)}\n"
    first = transcript.segments[0]
    lines = _label(first.speaker) + _one_line(first.text)
    for before, segment in pairwise(transcript.segments):
        same = segment.speaker == before.speaker and segment.start - before.end < PAUSE_SECONDS
        lines += " " if same else f"\n{_label(segment.speaker)}"
        lines += _one_line(segment.text)
    return f"{lines}\n"


def _label(speaker: str | None) -> str:
    return "" if speaker is None else f"{speaker}: "


def _json(transcript: Transcript) -> str:
    return json.dumps(transcript.to_dict()) + "\n"  # ASCII, which every terminal and pipe can encode


def _tsv(transcript: Transcript) -> str:
    rows = [("start", "end", "speaker", "text")]
    rows += [
        (f"{s.start:.3f}", f"{s.end:.3f}", s.speaker or "", _one_line(s.text)) for s in transcript.segments
    ]
    if not transcript.speakers:
        return "".join(f"{start}\t{end}\t{text}\n" for start, end, _, text in rows)
    return "".join("\t".join(row) + "\n" for row in rows)


def _srt(cues: Iterable[_Timed]) -> str:
    # SRT has no escapes; only the arrow could be mistaken for structure.
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{_label(cue.speaker)}{cue.text.replace('-->', '->')}\n"
        for number, cue in enumerate(cues, start=1)
    )


def _vtt(cues: Sequence[_Timed]) -> str:
    voices = ("" if cue.speaker is None else f"<v {cue.speaker}>" for cue in cues)
    shown = (
        f"\n{_times(cue, '.')}\n{voice}{html.escape(cue.text, quote=False)}\n"
        for voice, cue in zip(voices, cues, strict=True)
    )
    return "WEBVTT\n" + "".join(shown)


def _ctm(transcript: Transcript) -> str:
    """Format as NIST's CTM: recording, channel, start, duration, word, confidence; sorted in this order."""
    name = "-" if transcript.path is None else "_".join(printable(Path(transcript.path).stem).split()) or "-"
    return "".join(
        f"{name} {word.speaker or 1} {word.start:.3f} {word.end - word.start:.3f} {word.word} "
        f"{word.confidence:.3f}\n"
        for word in sorted(_timed_words(transcript), key=lambda word: word.speaker or "")
    )


def _textgrid(transcript: Transcript) -> str:
    """Format as Praat's short text file: a tier of intervals without gaps, or one for each channel."""
    words = _timed_words(transcript)
    duration = max([transcript.duration, *(word.end for word in words)])
    head = ["0", f"{duration:.6f}"]
    tiers = [
        line
        for speaker in transcript.speakers or (None,)
        for line in (
            '"IntervalTier"',
            f'"{speaker or "words"}"',
            *head,
            *_intervals([word for word in words if word.speaker == speaker], duration),
        )
    ]
    count = str(len(transcript.speakers) or 1)
    return "\n".join(
        ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *head, "<exists>", count, *tiers, ""]
    )


def _intervals(words: Sequence[Word], duration: float) -> list[str]:
    """Return the number of intervals of a tier, and the intervals."""
    intervals, end = [], 0.0
    for word in [*words, Word(duration, duration, "", 1.0)]:
        if word.start > end:
            intervals.append((end, word.start, ""))
        if word.end > word.start:  # Praat refuses empty intervals
            intervals.append((word.start, word.end, word.word.replace('"', '""')))
        end = word.end
    rows = [f'{start:.6f}\n{until:.6f}\n"{text}"' for start, until, text in intervals]
    return [str(len(rows)), *rows]


def _timed_words(transcript: Transcript) -> tuple[Word, ...]:
    if transcript.text and not transcript.words:
        raise ConfigError("ctm and textgrid need word timestamps; transcribe with words=True")
    return transcript.words


_WRITERS: dict[str, Callable[[Transcript], str]] = {
    "txt": _txt,
    "json": _json,
    "tsv": _tsv,
    "ctm": _ctm,
    "textgrid": _textgrid,
}
FORMATS = ("txt", "json", "srt", "vtt", "tsv", "ctm", "textgrid")


def _cues(transcript: Transcript, options: SubtitleOptions) -> list[_Timed]:
    """Split the segments into subtitles; those of different speakers may overlap."""
    if transcript.speakers:
        by_speaker = (
            cue._replace(speaker=speaker)
            for speaker in transcript.speakers
            for cue in _cues(_select(transcript, speaker), options)
        )
        return sorted(by_speaker, key=lambda cue: cue.start)
    if options.words:
        return [word for words in _words(transcript) for word in words]
    cues: list[_Timed] = []
    for words in _words(transcript, options.max_line_width):
        while words:
            count = next((n for n in range(1, len(words)) if not _fits(words[: n + 1], options)), len(words))
            cue, words = words[:count], words[count:]
            text = "\n".join(_wrap(" ".join(word.text for word in cue), options.max_line_width))
            cues.append(_Timed(cue[0].start, cue[-1].end, text))
    limits = (
        [after.start for _, after in pairwise(cues)] + [max(transcript.duration, cues[-1].end)]
        if cues
        else []
    )
    return [
        cue._replace(end=min(max(cue.end, cue.start + _MIN_SECONDS), limit))
        for cue, limit in zip(cues, limits, strict=True)
    ]


def _select(transcript: Transcript, speaker: str) -> Transcript:
    """Return the part of a transcript that is of one speaker."""
    return replace(
        transcript,
        segments=tuple(segment for segment in transcript.segments if segment.speaker == speaker),
        words=tuple(word for word in transcript.words if word.speaker == speaker),
        speakers=(),
    )


def _fits(words: Sequence[_Timed], options: SubtitleOptions) -> bool:
    """Return whether the last word can be in one subtitle with the words before it."""
    lines = _wrap(" ".join(word.text for word in words), options.max_line_width)
    return (
        len(lines) <= options.max_line_count
        and words[-1].end - words[0].start <= _MAX_SECONDS
        and words[-1].start - words[-2].end < PAUSE_SECONDS
    )


def _words(transcript: Transcript, width: int | None = None) -> Iterator[list[_Timed]]:
    """Yield the words of each segment with their times; words longer than the width are split."""
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
            for start, end, text, _ in spans
            for part in _interpolate(_wrap(text, width or len(text)), start, end)
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


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _times(cue: _Timed, point: str) -> str:
    """Return the line with the start and end of a subtitle, at least a millisecond apart."""
    start = round(cue.start * 1000)
    return f"{_clock(start, point)} --> {_clock(max(round(cue.end * 1000), start + 1), point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{fraction:03}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
