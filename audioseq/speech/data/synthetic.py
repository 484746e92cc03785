"""What a model would hear of texts that nobody spoke: a way to learn spellings without recordings."""

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
from audioseq.language.corpus import read, sentences
from audioseq.speech.config import TextOnlyConfig
from audioseq.speech.decoding.forced_alignment import Span
from audioseq.speech.pronunciation import MARK, UNITS, Pronunciations

ENOUGH = 4
"""So many segments of a phone between two others are a choice; of fewer, neighbours are disregarded."""
PAUSE = 3
"""A gap of more frames beside a mark between words belongs to the mark."""
LONGEST = 25
"""Words; longer sentences are left out."""
LIKE = 0.005
"""Sentences that are drawn together are within this share of all, ordered by length: little is padded."""
TRIES = 100
"""So many sentences, and half of those that are tried, may have words whose pronunciation is not known."""

SUBWORD_SENTENCES = 50_000
"""In so many sentences subwords are looked for."""

Ints = NDArray[np.int64]
PhoneEncoder = Callable[[str], Sequence[int] | None]
"""How a text is said, None if it is not known."""


class PhoneSegments:
    """Log-probabilities of phones over real recordings, and which phone was being said in each frame.

    Joined anew, they are what a model would hear of any text, with its doubts and mistakes: speech synthesis
    by unit selection (Hunt & Black 1996), but of posteriors.

    Args:
        log_probs: `[N, U]` float16, the recordings one after the other, at the frames of the lower layers.
        labels: the unit of each frame `[N]`.
        lengths: frames of each recording.
    """

    def __init__(self, log_probs: NDArray[np.float16], labels: NDArray[np.uint8], lengths: Ints) -> None:
        self.log_probs, self.labels, self.lengths = log_probs, labels, lengths
        first = np.zeros(len(labels), dtype=bool)
        first[np.cumsum(lengths) - lengths] = True
        self._starts = np.flatnonzero(first | np.r_[True, labels[1:] != labels[:-1]])
        self._sizes = np.diff(np.r_[self._starts, len(labels)])
        units = labels[self._starts].astype(np.int64)
        alone = first[self._starts]  # nothing is said before these
        before = np.where(alone, MARK, np.r_[MARK, units[:-1]])
        after = np.where(np.r_[alone[1:], True], MARK, np.r_[units[1:], MARK])
        self._orders = []
        for keys in _keys(before, units, after):
            order = np.argsort(keys, kind="stable")
            self._orders.append((keys[order], order))

    @classmethod
    def load(cls, path: str | Path) -> PhoneSegments:
        """Read them from a file that `save` wrote.

        Raises:
            DataError: it is another file, or damaged.
        """
        try:
            with np.load(path) as stored:
                return cls(stored["log_probs"], stored["labels"], stored["lengths"])
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: cannot be read as segments ({error}); make them anew") from None

    def save(self, path: Path) -> None:
        """Write them to a file; CheckpointError if it cannot be written."""

        def write(file: BinaryIO) -> None:
            np.savez(file, log_probs=self.log_probs, labels=self.labels, lengths=self.lengths)

        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)

    def join(self, units: Sequence[int], random: np.random.Generator) -> NDArray[np.float16]:
        """Return log-probabilities `[T, U]` of saying these units; any that were never said are left out.

        Each is a segment drawn from those between the same neighbours, or with the same one before it, or
        after it, or from all.
        """
        these = np.asarray(units, dtype=np.int64)
        before, after = np.r_[MARK, these[:-1]], np.r_[these[1:], MARK]
        chosen = np.full(len(these), -1)
        least = [ENOUGH, ENOUGH, ENOUGH, 1]
        for (keys, order), wanted, enough in zip(
            self._orders, _keys(before, these, after), least, strict=True
        ):
            start, end = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
            new = (chosen < 0) & (end - start >= enough)
            draws = (random.random(int(new.sum())) * (end - start)[new]).astype(np.int64)
            chosen[new] = order[start[new] + draws]
        chosen = chosen[chosen >= 0]
        pieces = zip(self._starts[chosen].tolist(), self._sizes[chosen].tolist(), strict=True)
        empty = self.log_probs[:0]
        return np.concatenate([empty, *(self.log_probs[start : start + size] for start, size in pieces)])


class TextOnlyData:
    """Sentences, and what a model would hear of them.

    Args:
        texts: files of text, a sentence a line, compressed or not.
        pronunciations: of the words; sentences with other words are passed over.
        segments: what the model heard of recordings.
    Raises:
        DataError: a text cannot be read, or there is none.
    """

    def __init__(
        self, texts: Iterable[Path], pronunciations: Pronunciations, segments: PhoneSegments
    ) -> None:
        self._pronunciations, self._segments = pronunciations, segments
        found = (words for words in sentences(read(texts)) if len(words) <= LONGEST)
        lines = sorted((" ".join(words).encode() for words in found), key=len)
        if not lines:
            raise DataError("spelling.texts hold no sentences; name files with a sentence a line")
        self._ends = np.cumsum([len(line) for line in lines])
        self._text = b"".join(lines)

    def draw(self, count: int, random: np.random.Generator) -> list[tuple[Tensor, str]]:
        """Return log-probabilities of phones `[T, U]` and their sentence, for several of like length.

        Raises:
            DataError: there is hardly a sentence whose words can all be said.
        """
        drawn: list[tuple[Tensor, str]] = []
        last = len(self._ends) - 1
        middle, around = random.integers(last + 1), max(5, round(LIKE * last))
        for _ in range(TRIES + 2 * count):
            place = middle + random.integers(-around, around + 1)
            sentence = self._sentence(min(max(int(place), 0), last))
            if units := self._pronunciations.units(sentence, random):
                heard = self._segments.join([MARK, *units, MARK], random)
                drawn.append((torch.from_numpy(heard.astype(np.float32)), sentence))
                if len(drawn) == count:
                    return drawn
        raise DataError("spelling.texts: too many sentences have words that spelling.dictionary lacks")

    def _sentence(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._text[start : self._ends[index]].decode()


def open_text_only_data(config: TextOnlyConfig | None) -> tuple[PhoneEncoder | None, TextOnlyData | None]:
    """Return how texts are said, and the texts without recordings, as far as there are such.

    Raises:
        DataError: a file cannot be read.
    """
    if config is None:
        return None, None
    pronunciations = Pronunciations.read(config.dictionary)
    if config.segments is None:
        return pronunciations.units, None
    return pronunciations.units, TextOnlyData(
        config.texts, pronunciations, PhoneSegments.load(config.segments)
    )


def first_sentences(config: TextOnlyConfig | None) -> Iterator[str]:
    """Yield the first texts without recordings: subwords are found in them too."""
    texts = () if config is None else config.texts
    return map(" ".join, islice(sentences(read(texts)), SUBWORD_SENTENCES))


def label_frames(spans: Sequence[Span], units: Sequence[int], frames: int) -> NDArray[np.uint8]:
    """Say which unit each frame `[T]` belongs to: that of its span, between spans that of the nearer one.

    Example:
        >>> label([Span(1, 2, 0.0), Span(4, 5, 0.0), Span(6, 7, 0.0)], [5, 7, 1], 9).tolist()
        [5, 5, 5, 7, 7, 7, 1, 1, 1]
    """
    ends = []
    for (one, unit), (other, next_unit) in pairwise(zip(spans, units, strict=True)):
        gap = other.start - one.end
        if gap > PAUSE and unit == MARK:
            gap -= 1
        elif gap > PAUSE and next_unit == MARK:
            gap = 1
        else:
            gap = (gap + 1) // 2
        ends.append(one.end + gap)
    return np.repeat(np.asarray(units, dtype=np.uint8), np.diff([0, *ends, frames]))


def _keys(before: Ints, units: Ints, after: Ints) -> list[Ints]:
    """Return numbers for units with both neighbours, with the one before, with the one after, and alone."""
    return [(before * UNITS + units) * UNITS + after, before * UNITS + units, units * UNITS + after, units]
