"""Synthetic phone posteriors for text-only training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audioseq.errors import DataError
from audioseq.files import write_atomically
from audioseq.language.corpus import read_lines, sentences
from audioseq.speech.config import TextOnlyConfig
from audioseq.speech.decoding.forced_alignment import Span
from audioseq.speech.pronunciation import NUM_PHONE_UNITS, WORD_BOUNDARY, Pronunciations

MIN_SEGMENTS_IN_CONTEXT = 4
"""With fewer segments of a phone in the context of its neighbours, the context is reduced."""
MAX_GAP_FRAMES = 3
"""A longer gap beside a word boundary is labelled as word boundary."""
MAX_SENTENCE_WORDS = 25
"""Longer sentences are left out."""
LENGTH_WINDOW_SHARE = 0.005
"""Sentences of a draw are within this share of all sentences sorted by length, so little is padded."""
MAX_FAILED_DRAWS = 100
"""A draw fails if more sentences than this and than half of those tried have words without pronunciation."""

SUBWORD_SENTENCES = 50_000
"""Number of sentences that subwords are learnt from, besides the training texts."""

Ints = NDArray[np.int64]
PhoneEncoder = Callable[[str], Sequence[int] | None]
"""Returns the phones of a text, or None if a word has no known pronunciation."""


class PhoneSegments:
    """Log-probabilities of phones in real recordings, cut into one segment per phone.

    Concatenated in a new order, the segments imitate the posteriors of an acoustic model for any text,
    including its uncertainty and its errors. Source of the idea: unit selection synthesis, Hunt & Black 1996,
    applied to posteriors instead of waveforms.

    Args:
        log_probs: `[N, U]` float16, all recordings concatenated, at the frame rate of the lower layers.
        labels: unit of each frame `[N]`.
        lengths: frames of each recording `[R]`.
    """

    def __init__(self, log_probs: NDArray[np.float16], labels: NDArray[np.uint8], lengths: Ints) -> None:
        self.log_probs, self.labels, self.lengths = log_probs, labels, lengths
        first = np.zeros(len(labels), dtype=bool)
        first[np.cumsum(lengths) - lengths] = True
        self._starts = np.flatnonzero(first | np.r_[True, labels[1:] != labels[:-1]])
        self._sizes = np.diff(np.r_[self._starts, len(labels)])
        units = labels[self._starts].astype(np.int64)
        initial = first[self._starts]
        # The context at both ends of a recording is a word boundary, not the neighbouring recording.
        before = np.where(initial, WORD_BOUNDARY, np.r_[WORD_BOUNDARY, units[:-1]])
        after = np.where(np.r_[initial[1:], True], WORD_BOUNDARY, np.r_[units[1:], WORD_BOUNDARY])
        self._sorted = []
        for keys in _context_keys(before, units, after):
            order = np.argsort(keys, kind="stable")
            self._sorted.append((keys[order], order))

    @classmethod
    def load(cls, path: str | Path) -> PhoneSegments:
        """Load segments from a file that `save` wrote.

        Raises:
            DataError: the file cannot be read, or has another format.
        """
        try:
            with np.load(path) as stored:
                return cls(stored["log_probs"], stored["labels"], stored["lengths"])
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: cannot be read as segments ({error}); create the file again") from None

    def save(self, path: Path) -> None:
        """Write the segments to a file; FileError if it cannot be written."""

        def write(file: BinaryIO) -> None:
            np.savez(file, log_probs=self.log_probs, labels=self.labels, lengths=self.lengths)

        write_atomically(path, write, make_folder=True)

    def synthesise(self, units: Sequence[int], random: np.random.Generator) -> NDArray[np.float16]:
        """Return synthetic log-probabilities `[T, U]` of a sequence of units.

        For each unit it draws a segment of that unit: one with both neighbours equal if there are enough of
        them, else with the previous one equal, else with the next one equal, else any. Units that have no
        segment are left out.
        """
        sequence = np.asarray(units, dtype=np.int64)
        before, after = np.r_[WORD_BOUNDARY, sequence[:-1]], np.r_[sequence[1:], WORD_BOUNDARY]
        chosen = np.full(len(sequence), -1)
        minimums = [MIN_SEGMENTS_IN_CONTEXT] * 3 + [1]
        contexts = _context_keys(before, sequence, after)
        for (keys, order), context, minimum in zip(self._sorted, contexts, minimums, strict=True):
            start, end = np.searchsorted(keys, context), np.searchsorted(keys, context, side="right")
            new = (chosen < 0) & (end - start >= minimum)
            draws = (random.random(int(new.sum())) * (end - start)[new]).astype(np.int64)
            chosen[new] = order[start[new] + draws]
        chosen = chosen[chosen >= 0]
        segments = zip(self._starts[chosen].tolist(), self._sizes[chosen].tolist(), strict=True)
        empty = self.log_probs[:0]
        return np.concatenate([empty, *(self.log_probs[start : start + size] for start, size in segments)])


class TextOnlyData:
    """Sentences without recordings, with synthetic phone posteriors.

    Args:
        texts: files of text, one sentence per line, compressed or not.
        pronunciations: of the words; sentences with other words are skipped.
        segments: to synthesise phone posteriors from.
    Raises:
        DataError: a text cannot be read, or there are no sentences.
    """

    def __init__(
        self, texts: Iterable[Path], pronunciations: Pronunciations, segments: PhoneSegments
    ) -> None:
        self._pronunciations, self._segments = pronunciations, segments
        lines = (words for words in sentences(read_lines(texts)) if len(words) <= MAX_SENTENCE_WORDS)
        encoded = sorted((" ".join(words).encode() for words in lines), key=len)
        if not encoded:
            raise DataError("text_only.texts hold no sentences; name files with a sentence a line")
        self._ends = np.cumsum([len(line) for line in encoded])
        self._text = b"".join(encoded)

    def draw(self, count: int, random: np.random.Generator) -> list[tuple[Tensor, str]]:
        """Draw sentences of similar length; return for each its log-probabilities `[T, U]` and its text.

        Raises:
            DataError: too many sentences have words without pronunciation.
        """
        drawn: list[tuple[Tensor, str]] = []
        last = len(self._ends) - 1
        centre, radius = random.integers(last + 1), max(5, round(LENGTH_WINDOW_SHARE * last))
        for _ in range(MAX_FAILED_DRAWS + 2 * count):
            index = centre + random.integers(-radius, radius + 1)
            sentence = self._sentence(min(max(int(index), 0), last))
            if units := self._pronunciations.encode(sentence, random):
                log_probs = self._segments.synthesise([WORD_BOUNDARY, *units, WORD_BOUNDARY], random)
                drawn.append((torch.from_numpy(log_probs.astype(np.float32)), sentence))
                if len(drawn) == count:
                    return drawn
        raise DataError("text_only.texts: too many sentences have words that text_only.dictionary lacks")

    def _sentence(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._text[start : self._ends[index]].decode()


def open_text_only_data(config: TextOnlyConfig | None) -> tuple[PhoneEncoder | None, TextOnlyData | None]:
    """Open the dictionary and the texts without recordings; either is None if the recipe has none.

    Raises:
        DataError: a file cannot be read.
    """
    if config is None:
        return None, None
    pronunciations = Pronunciations.read(config.dictionary)
    if config.segments is None:
        return pronunciations.encode, None
    return pronunciations.encode, TextOnlyData(
        config.texts, pronunciations, PhoneSegments.load(config.segments)
    )


def first_sentences(config: TextOnlyConfig | None) -> Iterator[str]:
    """Yield the first sentences of the texts without recordings; subwords are learnt from them too."""
    texts = () if config is None else config.texts
    return map(" ".join, islice(sentences(read_lines(texts)), SUBWORD_SENTENCES))


def label_frames(spans: Sequence[Span], units: Sequence[int], frames: int) -> NDArray[np.uint8]:
    """Label each frame with its unit.

    A frame between two spans has the unit of the nearer one. A longer gap beside a word boundary belongs to
    the boundary.

    Args:
        spans: frames of each unit, from forced alignment.
        units: one per span.
        frames: T, the number of frames.
    Returns:
        unit of each frame `[T]`.
    Example:
        >>> label_frames([Span(1, 2, 0.0), Span(4, 5, 0.0), Span(6, 7, 0.0)], [5, 7, 1], 9).tolist()
        [5, 5, 5, 7, 7, 7, 1, 1, 1]
    """
    ends = []
    for (span, unit), (next_span, next_unit) in pairwise(zip(spans, units, strict=True)):
        gap = next_span.start - span.end
        if gap > MAX_GAP_FRAMES and unit == WORD_BOUNDARY:
            gap -= 1
        elif gap > MAX_GAP_FRAMES and next_unit == WORD_BOUNDARY:
            gap = 1
        else:
            gap = (gap + 1) // 2
        ends.append(span.end + gap)
    return np.repeat(np.asarray(units, dtype=np.uint8), np.diff([0, *ends, frames]))


def _context_keys(before: Ints, units: Ints, after: Ints) -> list[Ints]:
    """Return an integer key of each unit with both neighbours, the previous, the next, and no neighbour."""
    left = before * NUM_PHONE_UNITS + units
    return [left * NUM_PHONE_UNITS + after, left, units * NUM_PHONE_UNITS + after, units]
