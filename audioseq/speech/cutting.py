"""Cut a recording that is aligned with its text into utterances for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from audioseq.audio import SAMPLE_RATE
from audioseq.data import Utterance
from audioseq.speech.alignment import RecordingEmissions
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import normalise

PADDING_SECONDS = 0.5
"""Longest silence in an utterance before its first word and after its last."""
MAX_PAUSE_SECONDS = 2.0
"""An utterance is always cut at longer pauses between words."""


@dataclass(frozen=True)
class AlignedSegment:
    """A part of a recording with its text."""

    start: float
    """Seconds from the start of the recording."""
    end: float
    words: tuple[Word, ...]
    agreement: float
    """Similarity of the text and the model's transcript in characters, 0 to 1; unrelated text has 0.25."""

    @property
    def text(self) -> str:
        """The words in the original spelling."""
        return " ".join(word.word for word in self.words)


def cut_utterances(
    words: Sequence[Word],
    emissions: RecordingEmissions,
    waveform: NDArray[np.floating],
    alphabet: str,
    seconds: tuple[float, float] = (2.0, 15.0),
) -> list[AlignedSegment]:
    """Cut a recording at its longest pauses into utterances for training.

    Words that could not be aligned, and pauses longer than `MAX_PAUSE_SECONDS`, are left out. The agreement
    of each utterance shows whether its text is correct; the caller decides which to keep.

    Args:
        words, emissions: as `align_recording` returns them.
        waveform: `[N]` at 16 kHz.
        alphabet: of the model.
        seconds: duration of the shortest and the longest utterance, without padding.
    Returns:
        the utterances, in order.
    """
    parts = []
    for run in _runs(words):
        while run:
            count = _cut_at_pause(run, seconds)
            part, run = run[:count], run[count:]
            if part[-1].end - part[0].start <= seconds[1]:
                parts.append(part)
    bounds = [(part[0].start, part[-1].end) for part in parts]
    cuts = [_quietest(waveform, end, start) for (_, end), (start, _) in pairwise(bounds)]
    edges = [0.0, *cuts, len(waveform) / SAMPLE_RATE]
    segments = []
    for part, (left, right) in zip(parts, pairwise(edges), strict=False):
        start, end = max(left, part[0].start - PADDING_SECONDS), min(right, part[-1].end + PADDING_SECONDS)
        if seconds[0] <= end - start <= seconds[1] + 2 * PADDING_SECONDS:
            text = normalise(" ".join(word.word for word in part), alphabet).text
            segments.append(AlignedSegment(start, end, tuple(part), _agreement(text, emissions, start, end)))
    return segments


def to_utterances(segments: Sequence[AlignedSegment], recording: Path) -> list[Utterance]:
    """Return segments of a recording (an absolute path) as entries of a manifest."""
    return [
        Utterance(
            id=f"{recording.stem}-{round(100 * segment.start):06}",
            audio_filepath=recording,
            duration=round(segment.end - segment.start, 3),
            text=segment.text,
            offset=round(segment.start, 3),
            dataset=recording.stem,
        )
        for segment in segments
    ]


def _runs(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Yield runs of consecutive aligned words without a long pause between them."""
    for aligned, group in groupby(words, lambda word: word.confidence > 0):
        if not aligned:
            continue
        run: list[Word] = []
        for word in group:
            if run and word.start - run[-1].end > MAX_PAUSE_SECONDS:
                yield run
                run = []
            run.append(word)
        yield run


def _cut_at_pause(run: Sequence[Word], seconds: tuple[float, float]) -> int:
    """Return the number of words before the longest pause at which the first part has a valid duration."""
    shortest, longest = seconds
    if run[-1].end - run[0].start <= longest:
        return len(run)
    pauses = {
        count: run[count].start - run[count - 1].end
        for count in range(1, len(run))
        if max(shortest, longest / 3) <= run[count - 1].end - run[0].start <= longest
    }
    return max(pauses, key=lambda count: (pauses[count], count)) if pauses else 1


def _quietest(waveform: NDArray[np.floating], start: float, end: float) -> float:
    """Return the time between start and end, in seconds, at the centre of the 60 ms of least energy."""
    hop = SAMPLE_RATE // 50
    part = waveform[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    if len(part) < 3 * hop:
        return (start + end) / 2
    energy = np.square(part[: len(part) // hop * hop].reshape(-1, hop)).sum(axis=1)
    return start + (int(np.convolve(energy, np.ones(3), mode="valid").argmin()) + 1.5) * hop / SAMPLE_RATE


def _agreement(text: str, emissions: RecordingEmissions, start: float, end: float) -> float:
    """Return the similarity of a text and the best path between two times, 0 to 1."""
    centres = emissions.times[emissions.frames].mean(axis=1)
    first, last = np.searchsorted(centres, [start, end])
    transcript = " ".join(emissions.text[first:last].split())
    return float(Levenshtein.normalized_similarity(transcript, text))
