"""Transcript formats: plain text, JSON, tables, subtitles and phonetic annotations."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from audioseq.errors import ConfigError
from audioseq.files import printable
from audioseq.speech.transcript import PAUSE_SECONDS, Segment, Transcript, Word, ends_sentence
from audioseq.speech.writers.cues import Cue, SubtitleOptions, make_cues

PARAGRAPH_SECONDS = 1.5
"""A pause of this length or longer after a sentence ends a paragraph of plain text."""
PARAGRAPH_WORDS = 150
"""A paragraph of this length or longer ends with the next sentence that is the last of its segment."""


def write(transcript: Transcript, format: str, subtitles: SubtitleOptions | None = None) -> str:
    """Return a transcript in one of the `FORMATS`, as the content of a file.

    txt is the text, with a line for each paragraph, which ends at a pause of `PARAGRAPH_SECONDS` after a
    sentence; of a raw transcript, with a new line at each pause of `PAUSE_SECONDS`. json is one object on one
    line; tsv a table of segments, with times in seconds; srt and vtt are subtitles, see `make_cues`. Without
    word timestamps, their times are in proportion to the number of characters. ctm (NIST) and textgrid
    (Praat) contain word timestamps of the recognised words; both are simpler to write than to take from a
    library.

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
            return _vtt(make_cues(transcript, layout))
        label = max((len(_label(speaker)) for speaker in transcript.speakers), default=0)
        layout = replace(layout, max_line_width=max(1, layout.max_line_width - label))
        return _srt(make_cues(transcript, layout))
    return _WRITERS[format](transcript)


def _txt(transcript: Transcript) -> str:
    if not transcript.segments:
        return f"{_one_line(transcript.text)}\n"
    is_raw = transcript.text == transcript.raw
    lines: list[list[Segment]] = []
    for segment in transcript.segments:
        if not lines or _ends_line(lines[-1], segment, is_raw):
            lines.append([])
        lines[-1].append(segment)
    texts = (" ".join(_one_line(segment.text) for segment in line) for line in lines)
    return "".join(f"{_label(line[0].speaker)}{text}\n" for line, text in zip(lines, texts, strict=True))


def _ends_line(line: Sequence[Segment], following: Segment, is_raw: bool) -> bool:
    """Return whether a line of plain text ends before a segment."""
    pause = following.start - line[-1].end
    if following.speaker != line[-1].speaker or is_raw:
        return following.speaker != line[-1].speaker or pause >= PAUSE_SECONDS
    is_long = sum(len(segment.text.split()) for segment in line) >= PARAGRAPH_WORDS
    return ends_sentence(line[-1].text) and (is_long or pause >= PARAGRAPH_SECONDS)


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


def _srt(cues: Iterable[Cue]) -> str:
    # SRT has no escapes; only the arrow could be mistaken for structure.
    return "\n".join(
        f"{number}\n{_times(cue, ',')}\n{_label(cue.speaker)}{cue.text.replace('-->', '->')}\n"
        for number, cue in enumerate(cues, start=1)
    )


def _vtt(cues: Sequence[Cue]) -> str:
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
    words = transcript.raw_words or transcript.words
    if transcript.text and not words:
        raise ConfigError("ctm and textgrid need word timestamps; transcribe with words=True")
    return words


_WRITERS: dict[str, Callable[[Transcript], str]] = {
    "txt": _txt,
    "json": _json,
    "tsv": _tsv,
    "ctm": _ctm,
    "textgrid": _textgrid,
}
FORMATS = ("txt", "json", "srt", "vtt", "tsv", "ctm", "textgrid")
RAW_FORMATS = frozenset({"ctm", "textgrid"})
"""Formats for programs that compare words, which have them as they were recognised."""


def _times(cue: Cue, point: str) -> str:
    """Return the line with the start and end of a subtitle, at least a millisecond apart."""
    start = round(cue.start * 1000)
    return f"{_clock(start, point)} --> {_clock(max(round(cue.end * 1000), start + 1), point)}"


def _clock(milliseconds: int, point: str) -> str:
    seconds, fraction = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{fraction:03}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
