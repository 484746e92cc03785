"""Align a known text with a recording of any length, and cut the recording into utterances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from audioseq.audio import SAMPLE_RATE
from audioseq.data import Utterance
from audioseq.errors import DataError
from audioseq.speech.decoding.forced_alignment import align, correct_timestamps, to_words
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer, normalise

ANCHOR_CHARACTERS = (5, 3)
"""Characters on both sides of a space that must agree with the transcript for the space to be an anchor. The
second number is used where the region between two anchors of the first is too large."""
MIN_ANCHOR_SECONDS = 10.0
"""Least distance between two anchors; the region between them is aligned as a whole."""
MAX_ALIGNMENT_CELLS = 40_000_000
"""Largest number of frames times states in one forced alignment; each takes one byte."""
PADDING_SECONDS = 0.5
"""Longest silence in an utterance before its first word and after its last."""
MAX_PAUSE_SECONDS = 2.0
"""An utterance is always cut at longer pauses between words."""


class RecordingEmissions(NamedTuple):
    """The emissions of a whole recording of T frames, and their best path."""

    log_probs: NDArray[np.floating]
    """`[T, V]`."""
    times: NDArray[np.float64]
    """Start of each frame and end of the last frame, seconds `[T + 1]`."""
    text: str
    """Text of the best path."""
    frames: NDArray[np.int64]
    """First frame and frame after the last of each character of the text `[characters, 2]`."""


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


def align_recording(
    recogniser: Recogniser, waveform: NDArray[np.floating], text: str
) -> tuple[list[Word], RecordingEmissions]:
    """Align the words of a text with a recording of any length.

    The recording is transcribed first. A space of the text is an anchor if the transcript agrees with the
    text in several characters on both sides of it. Each region between two anchors is aligned separately, so
    an hour of audio needs no more memory than a few minutes, and missing passages only affect their
    surroundings. Models with a high word error rate work too, because anchors only need matching characters.
    Source of the idea: Moreno et al. 1998, "A recursive algorithm for the forced alignment of very long audio
    segments".

    Args:
        recogniser: the model.
        waveform: `[N]` at 16 kHz.
        text: any text; words without characters of the model's alphabet are left out.
    Returns:
        the words in their original spelling, in order, with times in seconds, and the emissions. A word that
        could not be aligned has confidence 0.
    Raises:
        DataError: the text has no words, or the model's alphabet has no space.
    """
    alphabet = recogniser.tokenizer.alphabet
    originals = [(word, normalise(word, alphabet).text.split()) for word in text.split()]
    normalised = [part for _, parts in originals for part in parts]
    if " " not in alphabet:
        raise DataError("the model's alphabet has no space to separate words; use another model")
    if not normalised:
        raise DataError(f"the text has no word in the model's alphabet {alphabet!r}; give the transcript")
    emissions = _compute_emissions(recogniser, waveform)
    aligned = [
        word
        for words, first, last in _regions(emissions, normalised, recogniser.tokenizer)
        for word in _align_region(words, first, last, emissions, recogniser.tokenizer)
    ]
    spoken = correct_timestamps(aligned, len(waveform) / SAMPLE_RATE)
    return list(_merge_parts(originals, spoken)), emissions


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


def _compute_emissions(recogniser: Recogniser, waveform: NDArray[np.floating]) -> RecordingEmissions:
    """Compute the emissions of all chunks, with the time of each frame, and decode the best path."""
    step = recogniser.model.frame_seconds
    log_probs, times = [], []
    end = 0.0
    for chunk in recogniser.compute_emissions(waveform):
        log_probs.append(chunk.log_probs)
        times.append(np.minimum(chunk.start + step * np.arange(len(chunk.log_probs)), chunk.end))
        end = chunk.end
    whole = np.concatenate(log_probs)
    hypothesis = greedy(whole)
    text, frames = "", []
    for token, span in zip(hypothesis.tokens, hypothesis.frames, strict=True):
        characters = recogniser.tokenizer.pieces[token]
        text += characters
        frames += [span] * len(characters)
    return RecordingEmissions(
        whole, np.append(np.concatenate(times), end), text, np.array(frames).reshape(-1, 2)
    )


def _regions(
    emissions: RecordingEmissions, words: Sequence[str], tokenizer: Tokenizer
) -> Iterator[tuple[Sequence[str], int, int]]:
    """Yield the words between two anchors, with the first frame of the region and the one after its last."""
    anchors = [_anchors(emissions, " ".join(words), margin) for margin in ANCHOR_CHARACTERS]
    ends = (len(words), len(emissions.log_probs))
    bounds = [(0, 0), *_thin_out(anchors[0], emissions.times), ends]
    for low, high in pairwise(bounds):
        divided = [low, high]
        if _cells(words[low[0] : high[0]], high[1] - low[1], tokenizer) > MAX_ALIGNMENT_CELLS:
            inside = [anchor for anchor in anchors[1] if low < anchor < high and low[1] < anchor[1] < high[1]]
            divided = [low, *_thin_out(inside, emissions.times), high]
        for (word, frame), (next_word, next_frame) in pairwise(divided):
            yield words[word:next_word], frame, next_frame


def _anchors(emissions: RecordingEmissions, text: str, margin: int) -> list[tuple[int, int]]:
    """Return the anchors as (index of the word after the space, frame); both increase."""
    spaces = np.cumsum(np.frombuffer(text.encode("utf-32-le"), np.uint32) == ord(" "))
    anchors: list[tuple[int, int]] = []
    for block in Levenshtein.opcodes(emissions.text, text):
        if block.tag != "equal":
            continue
        shift = block.src_start - block.dest_start
        for index in range(block.dest_start + margin, block.dest_end - margin):
            if text[index] == " ":
                # Halfway between the characters before and after the space.
                before, after = emissions.frames[index + shift - 1], emissions.frames[index + shift + 1]
                anchors.append((int(spaces[index]), int((before[1] + after[0]) // 2)))
    return anchors


def _thin_out(anchors: Sequence[tuple[int, int]], times: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Drop anchors that are closer than `MIN_ANCHOR_SECONDS` to the previous one."""
    kept: list[tuple[int, int]] = []
    for anchor in anchors:
        if times[anchor[1]] - (times[kept[-1][1]] if kept else 0.0) >= MIN_ANCHOR_SECONDS:
            kept.append(anchor)
    return kept


def _cells(words: Sequence[str], frames: int, tokenizer: Tokenizer) -> int:
    """Return the number of frames times CTC states in the alignment of words."""
    return frames * (2 * len(tokenizer.encode(" ".join(words))) + 1)


def _align_region(
    words: Sequence[str], first: int, last: int, emissions: RecordingEmissions, tokenizer: Tokenizer
) -> Iterator[Word]:
    """Align words with the frames from `first` to before `last`; yield them with times in the recording."""
    if not words:
        return
    tokens = tokenizer.encode(" ".join(words))
    try:
        if _cells(words, last - first, tokenizer) > MAX_ALIGNMENT_CELLS:
            raise ValueError("no anchors: the region is too large to align")
        spans = align(emissions.log_probs[first:last], tokens)
        for word in to_words(tokens, spans, tokenizer, frame_seconds=1):
            start, end = emissions.times[[first + round(word.start), first + round(word.end)]].tolist()
            yield replace(word, start=start, end=end)
    except ValueError:  # too few frames for the text, or a different text: confidence 0, times evenly spread
        edges = np.linspace(emissions.times[first], emissions.times[last], len(words) + 1).tolist()
        for unaligned, (start, end) in zip(words, pairwise(edges), strict=True):
            yield Word(start, end, unaligned, 0.0)


def _merge_parts(originals: Sequence[tuple[str, list[str]]], aligned: Sequence[Word]) -> Iterator[Word]:
    """Merge the aligned parts of each original word: "well-known" is aligned as two words."""
    start = 0
    for original, parts in originals:
        words = aligned[start : start + len(parts)]
        start += len(parts)
        if words:
            confidence = float(np.prod([word.confidence for word in words]) ** (1 / len(words)))
            yield Word(words[0].start, words[-1].end, original, confidence)


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
