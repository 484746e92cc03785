"""Align a known text with a recording of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from audioseq.audio import SAMPLE_RATE
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
MIN_AGREEMENT = 0.4
"""Least agreement of a text with its recording. Of 40 pairs from LibriSpeech dev-clean and english-small, the
20 right texts have 0.5 to 1, and 20 wrong ones of similar length 0.12 to 0.33."""


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
        text: any text; words without letters and digits are left out.
    Returns:
        the words in their original spelling, in order, with times in seconds, and the emissions. A word that
        could not be aligned has confidence 0; words without characters of the model's alphabet, such as
        numbers, share the time between their neighbours.
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


def text_agreement(text: str, emissions: RecordingEmissions, alphabet: str) -> float:
    """Return the similarity of a text and the model's transcript of a recording in characters, 0 to 1.

    Below `MIN_AGREEMENT` the text is probably that of another recording, or half of it is missing.
    """
    return float(Levenshtein.normalized_similarity(emissions.text.strip(), normalise(text, alphabet).text))


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
    waiting: list[str] = []  # words that cannot be aligned, since the last one that can
    for original, parts in originals:
        words = aligned[start : start + len(parts)]
        if words:
            before = aligned[start - 1].end if start else words[0].start
            yield from _interpolate(waiting, before, words[0].start)
            confidence = float(np.prod([word.confidence for word in words]) ** (1 / len(words)))
            yield Word(words[0].start, words[-1].end, original, confidence)
            waiting = []
        elif any(map(str.isalnum, original)):
            waiting.append(original)
        start += len(parts)
    yield from _interpolate(waiting, aligned[-1].end, aligned[-1].end)


def _interpolate(words: Sequence[str], first: float, last: float) -> Iterator[Word]:
    """Yield words that cannot be aligned, in equal parts of the time from first to last."""
    edges = np.linspace(first, last, len(words) + 1).tolist()
    for word, (start, end) in zip(words, pairwise(edges), strict=True):
        yield Word(start, end, word, 0.0)
