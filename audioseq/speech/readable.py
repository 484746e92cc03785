"""Readable transcripts: recognised words with punctuation, capitals and figures."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from math import nan, prod
from typing import Any, Protocol

from audioseq import models
from audioseq.speech.decoding.weights import stored_table
from audioseq.speech.transcript import Word, ends_sentence
from audioseq.text.numerals.write import write_numbers

CARD_KEY = "punctuation"
"""Entry of the card of a speech model with the name of the punctuation model for its texts."""
PUNCTUATION_OF_LM = {"english-4gram": "english-punctuation"}
"""Punctuation models for the texts of speech models whose card recommends these language models."""
WINDOW_WORDS = 192
"""Words that are punctuated at once."""
LOOKAHEAD_WORDS = 32
"""Words after a sentence that are known before it is written, unless the recording ends."""
CONTEXT_WORDS = 32
"""Words before a segment of a stream that are read again; 128 words give the same F1."""


class Punctuator(Protocol):
    """Writes words with case and marks, as `audioseq.language.punctuation.pipeline.Punctuator` does."""

    def punctuate(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> list[str]:
        """Return a written word for each word; pauses are the seconds of silence after each word."""


def recommended_punctuation(card: Mapping[str, Any]) -> str | None:
    """Return the punctuation model for the texts of a speech model; None if its texts are to stay raw.

    The card names it. The cards of english-small and of models adapted from it recommend an English language
    model instead, which tells that their texts are English.
    """
    lm = stored_table(card).get("lm")
    name = card.get(CARD_KEY, PUNCTUATION_OF_LM.get(models.FORMER_NAMES.get(str(lm), str(lm))))
    return name if name in {model.name for model in models.CATALOGUE} else None


def write_readable(
    segments: Iterable[Sequence[Word]], punctuator: Punctuator | None
) -> Iterator[tuple[Sequence[Word], Sequence[Word]]]:
    """Yield the recognised words and the written words of each segment of a recording, in order.

    Words are collected across segments, so that a mark at the end of a segment depends on what follows it.
    Whenever `WINDOW_WORDS` are waiting, they are punctuated, and the sentences are written that end at least
    `LOOKAHEAD_WORDS` before the last of them, so that the next window begins with a sentence. The memory does
    not grow with the recording. Numbers are written afterwards, within each segment.

    A written word that stands for several recognised words has the start of the first, the end of the last,
    and the product of their confidences, as it is right only if all of them are. (Of three words in a row of
    the development set, transcribed greedily, all are right in 38 %; the mean of the product is 0.36, of the
    lowest confidence 0.47, and of the geometric mean 0.66.)

    Args:
        segments: the recognised words of each segment, with their times.
        punctuator: the punctuation model; None to write the words as they were recognised.
    """
    if punctuator is None:
        yield from ((words, words) for words in segments)
        return
    begins_sentence = True
    for words, texts in _punctuate_segments(segments, punctuator):
        yield words, _write(words, _capitalise(texts, begins_sentence), begins_sentence)
        begins_sentence = ends_sentence(texts[-1])


class SegmentWriter:
    """Writes each segment of a stream as soon as it ends, without the words after it.

    The words before the segment are read again as context, so that a sentence may continue over a pause.
    What was written before does not change. The recipe english-punctuation reports the effect on F1.

    Args:
        punctuator: as in `write_readable`.
    """

    def __init__(self, punctuator: Punctuator | None) -> None:
        self._punctuator = punctuator
        self._context: deque[Word] = deque(maxlen=CONTEXT_WORDS)
        self._begins_sentence = True

    def write(self, words: Sequence[Word]) -> Sequence[Word]:
        """Return the written words of the next segment.

        Args:
            words: its recognised words, at least one.
        """
        if self._punctuator is None:
            return words
        texts = _punctuate([*self._context, *words], self._punctuator)[len(self._context) :]
        written = _write(words, _capitalise(texts, self._begins_sentence), self._begins_sentence)
        self._context.extend(words)
        self._begins_sentence = ends_sentence(texts[-1])
        return written


def _punctuate_segments(
    segments: Iterable[Sequence[Word]], punctuator: Punctuator
) -> Iterator[tuple[Sequence[Word], list[str]]]:
    """Yield the words of each segment, and each of them with its case and marks."""
    unfinished: deque[Sequence[Word]] = deque()
    texts: deque[str] = deque()  # of the first words of `unfinished`
    waiting: list[Word] = []  # the other words of `unfinished`
    for segment in segments:
        unfinished.append(segment)
        waiting += segment
        while len(waiting) >= WINDOW_WORDS:
            window = _punctuate(waiting[:WINDOW_WORDS], punctuator)
            count = _count_complete(window)
            texts += window[:count]
            del waiting[:count]
        yield from _pop_finished(unfinished, texts)
    texts += _punctuate(waiting, punctuator)
    yield from _pop_finished(unfinished, texts)


def _pop_finished(
    unfinished: deque[Sequence[Word]], texts: deque[str]
) -> Iterator[tuple[Sequence[Word], list[str]]]:
    while unfinished and len(texts) >= len(unfinished[0]):
        words = unfinished.popleft()
        yield words, [texts.popleft() for _ in words]


def _punctuate(words: Sequence[Word], punctuator: Punctuator) -> list[str]:
    """Return words with case and marks. The pause after the last of them is not known."""
    if not words:
        return []
    pauses = [max(0.0, after.start - word.end) for word, after in pairwise(words)]
    return punctuator.punctuate([word.word for word in words], [*pauses, nan])


def _count_complete(window: Sequence[str]) -> int:
    """Return the number of words up to the last sentence end that is followed by enough words."""
    complete = len(window) - LOOKAHEAD_WORDS
    ends = (count for count in range(complete, 0, -1) if ends_sentence(window[count - 1]))
    return next(ends, complete)


def _capitalise(texts: Sequence[str], begins_sentence: bool) -> list[str]:
    """Write the first word of each sentence with a capital: the model labels marks and case separately."""
    begins = [begins_sentence, *map(ends_sentence, texts)]
    return [
        re.sub(r"[^\W\d_]", lambda letter: letter[0].upper(), text, count=1)
        if begin and text == text.lower()  # not iPhone
        else text
        for text, begin in zip(texts, begins, strict=False)
    ]


def _write(words: Sequence[Word], texts: Sequence[str], begins_sentence: bool) -> list[Word]:
    """Return the written words of a segment, with the times of the words that they stand for."""
    spoken = iter(words)
    parts = ((text, list(islice(spoken, count))) for text, count in write_numbers(texts, begins_sentence))
    return [
        Word(
            start=part[0].start,
            end=part[-1].end,
            word=text,
            confidence=prod(word.confidence for word in part),
            speaker=part[0].speaker,
            raw=" ".join(word.word for word in part),
        )
        for text, part in parts
    ]
