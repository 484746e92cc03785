"""F1 with a limited lookahead, and of live text, on excerpts of written books with simulated pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audioseq import checkpoint, models
from audioseq.language.punctuation.augment import Pauses, read_pauses
from audioseq.language.punctuation.batch import ScoreArrays
from audioseq.language.punctuation.evaluate import read_written
from audioseq.language.punctuation.labels import CASES, MARKS, LabelledWord
from audioseq.language.punctuation.metrics import Score
from audioseq.language.punctuation.model import PunctuationModel, batch_words, build
from audioseq.language.punctuation.pipeline import Punctuator, load_punctuator
from audioseq.speech.readable import CONTEXT_WORDS
from audioseq.speech.streaming.endpointing import Endpointing

LOOKAHEADS = (0, 2, 4, 8, 16)
"""Words that the backward layers read after a word."""
LATER_WORDS = (0, 4, 16)
"""Words of the next segments that are known when a live segment is written."""
SECONDS_OF_WORD, SECONDS_OF_LETTER = 0.08, 0.06
"""Length of a word in speech, simulated: a constant, and for each letter."""


def measure_live(model: str | Path, text: Path, pauses: Path, words: int = 500) -> dict[str, Any]:
    """Return the F1 of a model with limited lookahead, and in the segments of a stream.

    Args:
        model: name or path.
        text: a paragraph a line, an empty line between books.
        pauses: output of measure.py.
        words: words at the beginning of each book that are labelled.
    """
    books = [book[:words] for book in read_written(text) if len(book) >= words]
    punctuator = load_punctuator(model, "cpu")
    stored = checkpoint.load(models.resolve(model, task="punctuation"), task="punctuation")
    network = stored.restore(lambda: build(punctuator.config, punctuator.tokenizer.size)).eval()
    results = {
        f"lookahead of {count} words": _windows(network, punctuator, books, count) for count in LOOKAHEADS
    }
    results["whole text"] = _score(books, (punctuator.label(_spoken(book)) for book in books))
    spoken = [(book, *_simulate(book, read_pauses(pauses), seed)) for seed, book in enumerate(books)]
    results["segments alone"] = _segments(punctuator, spoken, context=0, later=0)
    for later in LATER_WORDS:
        name = f"segments, {CONTEXT_WORDS} words before, {later} words after"
        results[name] = _segments(punctuator, spoken, CONTEXT_WORDS, later)
    count = sum(len(ends) for _, _, ends in spoken)
    return {"words per segment": round(sum(map(len, books)) / count, 1), **results}


def _windows(
    network: PunctuationModel, punctuator: Punctuator, books: Sequence[Sequence[LabelledWord]], lookahead: int
) -> dict[str, Any]:
    """Label one word after the other; forward layers continue, backward layers read the lookahead."""
    batch = batch_words(
        [[punctuator.encode(word) for word in _spoken(book)] for book in books], [None] * len(books)
    )
    states, parts = None, []
    with torch.no_grad():
        x = network.embedding(batch.pieces).sum(2)
        for step in range(x.shape[1]):
            y, states = network.stack.window(x[:, step : step + 1 + lookahead], 1, states)
            parts.append(y[:, :1])
        cases, marks = network.head(torch.cat(parts, 1)).split([len(CASES), len(MARKS)], dim=2)
    rows = zip(cases.numpy(), marks.numpy(), strict=True)
    return _score(books, (punctuator.choose([ScoreArrays(*row)]) for row in rows))


def _simulate(book: Sequence[LabelledWord], pauses: Pauses, seed: int) -> tuple[list[float], list[int]]:
    """Return the pause after each word, and the ends of the segments that endpointing makes."""
    seconds = pauses.draw([word.mark for word in book], np.random.default_rng(seed))
    rule, clock, ends = Endpointing(), 0.0, []
    for end, (word, pause) in enumerate(zip(book, seconds, strict=True), 1):
        clock += SECONDS_OF_WORD + SECONDS_OF_LETTER * len(word.word)
        if pause and pause >= rule.trailing_silence * max(0.0, 1 - clock / rule.max_seconds):
            ends.append(end)
            clock = 0.0
        else:
            clock += pause
    return seconds, [*ends[: len(ends) - (ends[-1:] == [len(book)])], len(book)]


def _segments(
    punctuator: Punctuator,
    spoken: Sequence[tuple[Sequence[LabelledWord], list[float], list[int]]],
    context: int,
    later: int,
) -> dict[str, Any]:
    """Label each segment with words before it and after it."""

    def label(
        book: Sequence[LabelledWord], pauses: list[float], ends: list[int]
    ) -> Iterator[tuple[int, int]]:
        mark = MARKS.index(".")
        for start, end in zip([0, *ends], ends, strict=False):
            first, last = max(0, start - context), min(len(book), end + later)
            known = [*pauses[first : last - 1], float("nan")]
            found = list(punctuator.label(_spoken(book[first:last]), known))[start - first : end - first]
            begins = not context or mark == MARKS.index(".")
            yield (found[0][0] or CASES.index("title") if begins else found[0][0]), found[0][1]
            yield from found[1:]
            mark = found[-1][1]

    return _score([book for book, _, _ in spoken], (label(*each) for each in spoken))


def _spoken(book: Sequence[LabelledWord]) -> list[str]:
    return [word.word for word in book]


def _score(
    books: Sequence[Sequence[LabelledWord]], labels: Iterator[Iterator[tuple[int, int]]]
) -> dict[str, Any]:
    score = Score()
    for book, found in zip(books, labels, strict=True):
        score.add(book, found)
    names = "comma", "full stop", "question", "title"
    return {"macro_f1": round(score.macro_f1, 4), **{name: round(score.labels[name].f1, 4) for name in names}}
