"""Where the words of a known text lie in a recording of any length, and utterances cut from it."""

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
from audioseq.speech.decoding.forced_alignment import align, as_spoken, to_words
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.pipeline import Recogniser
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer, normalise

MARGINS = (5, 3)
"""Characters on either side of a space that must have been heard as written for the space to be an anchor;
the second where anchors of the first leave too much between them."""
ANCHORS_APART = 10.0
"""Least seconds between two anchors: what lies between is aligned as one."""
MOST_CELLS = 40_000_000
"""Frames times states that are aligned at once; a byte each."""
PADDING = 0.5
"""Most seconds that a cut utterance has before its first word and after its last."""
LONGEST_PAUSE = 2.0
"""Seconds without a word that are never inside an utterance."""


class RecordingEmissions(NamedTuple):
    """What the model heard in a whole recording of T frames."""

    log_probs: NDArray[np.floating]
    """`[T, V]`."""
    times: NDArray[np.float64]
    """When each frame begins, and when the last ends, seconds `[T + 1]`."""
    text: str
    """The most probable characters."""
    frames: NDArray[np.int64]
    """First frame of each character, and the frame after its last `[characters, 2]`."""


@dataclass(frozen=True)
class AlignedSegment:
    """A part of a recording with its text."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    words: tuple[Word, ...]
    agreement: float
    """Share of the characters that the model heard as they are written, 0 to 1; unrelated text has 0.25."""

    @property
    def text(self) -> str:
        """The words, as the text spells them."""
        return " ".join(word.word for word in self.words)


def align_recording(
    recogniser: Recogniser, waveform: NDArray[np.floating], text: str
) -> tuple[list[Word], RecordingEmissions]:
    """Find the words of a text in a recording of any length.

    The model writes down what it hears. Where that agrees with the text over several characters on both
    sides of a space, the space is an anchor. Between two anchors the text is aligned by itself, so an hour
    needs no more memory than minutes, and a passage that is missing spoils no more than its surroundings.
    It works with models that get most words wrong, for letters agree where words do not. Source of the idea:
    Moreno et al. 1998, "A recursive algorithm for the forced alignment of very long audio segments".

    Args:
        recogniser: the model.
        waveform: `[N]` at 16 kHz.
        text: any text; what is no word in the model's alphabet has no place.
    Returns:
        the words as the text spells them, in order, with times in seconds (a confidence of 0 where there is
        no room for a word), and what the model heard.
    Raises:
        DataError: the text has no words, or the model's alphabet no space.
    """
    alphabet = recogniser.tokenizer.alphabet
    spelt = [(raw, normalise(raw, alphabet).text.split()) for raw in text.split()]
    plain = [word for _, parts in spelt for word in parts]
    if " " not in alphabet:
        raise DataError(
            "the model's alphabet has no space, so words cannot be told apart; take another model"
        )
    if not plain:
        raise DataError(f"the text has no word in the model's alphabet {alphabet!r}; give what is said")
    heard = _listen(recogniser, waveform)
    found = [
        word
        for words, first, last in _pieces(heard, plain, recogniser.tokenizer)
        for word in _place(words, first, last, heard, recogniser.tokenizer)
    ]
    spoken = as_spoken(found, len(waveform) / SAMPLE_RATE)
    return list(_as_written(spelt, spoken)), heard


def cut_utterances(
    words: Sequence[Word],
    heard: RecordingEmissions,
    waveform: NDArray[np.floating],
    alphabet: str,
    seconds: tuple[float, float] = (2.0, 15.0),
) -> list[AlignedSegment]:
    """Cut a recording between words into stretches to train on, at its longest pauses.

    Words without a place, and pauses beyond `LONGEST_PAUSE`, are left out. Whether what is said is what is
    written is told by the agreement of each stretch, for the caller to judge.

    Args:
        words, heard: as `align_recording` returns them.
        waveform: `[N]` at 16 kHz.
        alphabet: of the model.
        seconds: the shortest and the longest stretch.
    """
    stretches = []
    for run in _runs(words):
        while run:
            count = _longest_pause(run, seconds)
            part, run = run[:count], run[count:]
            if part[-1].end - part[0].start <= seconds[1]:
                stretches.append(part)
    bounds = [(part[0].start, part[-1].end) for part in stretches]
    between = [_quietest(waveform, end, start) for (_, end), (start, _) in pairwise(bounds)]
    edges = [0.0, *between, len(waveform) / SAMPLE_RATE]
    made = []
    for part, (opened, closed) in zip(stretches, pairwise(edges), strict=False):
        start, end = max(opened, part[0].start - PADDING), min(closed, part[-1].end + PADDING)
        if seconds[0] <= end - start <= seconds[1] + 2 * PADDING:
            written = normalise(" ".join(word.word for word in part), alphabet).text
            made.append(AlignedSegment(start, end, tuple(part), _agreement(written, heard, start, end)))
    return made


def to_utterances(stretches: Sequence[AlignedSegment], recording: Path) -> list[Utterance]:
    """Return the stretches of a recording (an absolute path) as entries of a manifest."""
    return [
        Utterance(
            id=f"{recording.stem}-{round(100 * stretch.start):06}",
            audio_filepath=recording,
            duration=round(stretch.end - stretch.start, 3),
            text=stretch.text,
            offset=round(stretch.start, 3),
            dataset=recording.stem,
        )
        for stretch in stretches
    ]


def _listen(recogniser: Recogniser, waveform: NDArray[np.floating]) -> RecordingEmissions:
    step = recogniser.model.frame_seconds
    log_probs, times = [], []
    end = 0.0
    for piece in recogniser.compute_emissions(waveform):
        log_probs.append(piece.log_probs)
        times.append(np.minimum(piece.start + step * np.arange(len(piece.log_probs)), piece.end))
        end = piece.end
    whole = np.concatenate(log_probs)
    hypothesis = greedy(whole)
    text, frames = "", []
    for token, place in zip(hypothesis.tokens, hypothesis.frames, strict=True):
        piece_text = recogniser.tokenizer.pieces[token]
        text += piece_text
        frames += [place] * len(piece_text)
    return RecordingEmissions(
        whole, np.append(np.concatenate(times), end), text, np.array(frames).reshape(-1, 2)
    )


def _pieces(
    heard: RecordingEmissions, words: Sequence[str], tokenizer: Tokenizer
) -> Iterator[tuple[Sequence[str], int, int]]:
    """Yield words with the first frame and the frame after the last in which to look for them."""
    anchors = [_anchors(heard, " ".join(words), margin) for margin in MARGINS]
    ends = (len(words), len(heard.log_probs))
    places = [(0, 0), *_apart(anchors[0], heard.times), ends]
    for low, high in pairwise(places):
        between = [low, high]
        if _cells(words[low[0] : high[0]], high[1] - low[1], tokenizer) > MOST_CELLS:
            inside = [anchor for anchor in anchors[1] if low < anchor < high and low[1] < anchor[1] < high[1]]
            between = [low, *_apart(inside, heard.times), high]
        for (word, frame), (next_word, next_frame) in pairwise(between):
            yield words[word:next_word], frame, next_frame


def _anchors(heard: RecordingEmissions, text: str, margin: int) -> list[tuple[int, int]]:
    """Return (word, frame) for each word whose beginning was heard for certain; both grow."""
    spaces = np.cumsum(np.frombuffer(text.encode("utf-32-le"), np.uint32) == ord(" "))
    anchors: list[tuple[int, int]] = []
    for block in Levenshtein.opcodes(heard.text, text):
        if block.tag != "equal":
            continue
        shift = block.src_start - block.dest_start
        for at in range(block.dest_start + margin, block.dest_end - margin):
            if text[at] == " ":
                # Halfway from the letter before the space to the one after it.
                frame = (heard.frames[at + shift - 1, 1] + heard.frames[at + shift + 1, 0]) // 2
                anchors.append((int(spaces[at]), int(frame)))
    return anchors


def _apart(anchors: Sequence[tuple[int, int]], times: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Keep anchors that have some seconds between them."""
    kept: list[tuple[int, int]] = []
    for anchor in anchors:
        if times[anchor[1]] - (times[kept[-1][1]] if kept else 0.0) >= ANCHORS_APART:
            kept.append(anchor)
    return kept


def _cells(words: Sequence[str], frames: int, tokenizer: Tokenizer) -> int:
    return frames * (2 * len(tokenizer.encode(" ".join(words))) + 1)


def _place(
    words: Sequence[str], first: int, last: int, heard: RecordingEmissions, tokenizer: Tokenizer
) -> Iterator[Word]:
    """Yield words with their times in the recording, looked for from one frame to another."""
    if not words:
        return
    tokens = tokenizer.encode(" ".join(words))
    try:
        if _cells(words, last - first, tokenizer) > MOST_CELLS:
            raise ValueError("nothing that was heard agrees with the text")
        for word in to_words(tokens, align(heard.log_probs[first:last], tokens), tokenizer, frame_seconds=1):
            start, end = heard.times[[first + round(word.start), first + round(word.end)]].tolist()
            yield replace(word, start=start, end=end)
    except ValueError:  # text without audio, or audio with other words
        edges = np.linspace(heard.times[first], heard.times[last], len(words) + 1).tolist()
        for lost, (start, end) in zip(words, pairwise(edges), strict=True):
            yield Word(start, end, lost, 0.0)


def _as_written(spelt: Sequence[tuple[str, list[str]]], found: Sequence[Word]) -> Iterator[Word]:
    """Yield the words of the text as it spells them: "well-known" is one, made of two."""
    place = 0
    for raw, parts in spelt:
        mine = found[place : place + len(parts)]
        place += len(parts)
        if mine:
            confidence = float(np.prod([word.confidence for word in mine]) ** (1 / len(mine)))
            yield Word(mine[0].start, mine[-1].end, raw, confidence)


def _runs(words: Sequence[Word]) -> Iterator[list[Word]]:
    """Yield words that stand together: all have a place, and no long pause lies between them."""
    for placed, group in groupby(words, lambda word: word.confidence > 0):
        if not placed:
            continue
        run: list[Word] = []
        for word in group:
            if run and word.start - run[-1].end > LONGEST_PAUSE:
                yield run
                run = []
            run.append(word)
        yield run


def _longest_pause(run: Sequence[Word], seconds: tuple[float, float]) -> int:
    """Return after how many words to cut: before the longest pause, where neither side gets too short."""
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
    """Return the second, from start to end, around which 60 ms have the least energy."""
    hop = SAMPLE_RATE // 50
    part = waveform[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    if len(part) < 3 * hop:
        return (start + end) / 2
    energy = np.square(part[: len(part) // hop * hop].reshape(-1, hop)).sum(axis=1)
    return start + (int(np.convolve(energy, np.ones(3), mode="valid").argmin()) + 1.5) * hop / SAMPLE_RATE


def _agreement(text: str, heard: RecordingEmissions, start: float, end: float) -> float:
    middles = heard.times[heard.frames].mean(axis=1)
    first, last = np.searchsorted(middles, [start, end])
    said = " ".join(heard.text[first:last].split())
    return float(Levenshtein.normalized_similarity(said, text))
