"""Written texts as arrays of words and labels, and the examples that they are cut into."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import DataError
from audioseq.language.corpus import read_lines
from audioseq.language.punctuation.labels import CASES, MARKS, LabelledWord, read_labels

SENTENCE_ENDS = tuple(MARKS.index(mark) for mark in ".?!")
MAX_UPPER_SHARE = 0.4
"""Paragraphs in which more of the words are in upper case are headings, and are left out."""
FEWEST_WORDS = 3
"""Shorter paragraphs are left out."""
SHORT_WORDS = 25
"""Longest of the short examples, which stand for single sentences."""
SHORT_SHARE, WHOLE_SENTENCES_SHARE = 0.3, 0.85
"""Shares of short examples, and of examples that end with a sentence."""
MIN_FORM_COUNT = 3
"""Occurrences that a form in mixed case needs to be learnt."""


@dataclass(frozen=True)
class Labels:
    """Words with their labels: one text, or several one after the other."""

    words: NDArray[np.int32]
    """Indices into a list of words `[N]`."""
    cases: NDArray[np.int64]
    """`[N]`."""
    marks: NDArray[np.int64]
    """`[N]`."""

    def __getitem__(self, part: slice) -> Labels:
        return Labels(self.words[part], self.cases[part], self.marks[part])

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class Books:
    """Books as labelled words."""

    words: list[str]
    """The distinct words, as spoken."""
    books: list[Labels]
    forms: dict[str, str]
    """Written forms of words that are mostly in mixed case where they are not in lower case."""


def read_books(paths: Iterable[Path], words: Sequence[str] = ()) -> Books:
    """Read texts, a paragraph a line, an empty line between books.

    Args:
        paths: text files, plain or compressed.
        words: words that have the first indices.
    Raises:
        DataError: a text cannot be read, or the texts have no words.
    """
    ids = {word: index for index, word in enumerate(words)}
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    books = []
    for paragraphs in split_books(read_lines(paths)):
        found = [each for line in paragraphs for each in read_paragraph(line)]
        if found:
            word_ids = [ids.setdefault(each.word, len(ids)) for each in found]
            cases, marks = ([each[column] for each in found] for column in (1, 2))
            books.append(Labels(np.array(word_ids, np.int32), np.array(cases), np.array(marks)))
        for each in found:
            if CASES[each.case] == "title":
                forms[each.word][each.written.replace("\u2019", "'")] += 1
    if not books:
        raise DataError(f"{', '.join(map(str, paths))}: has no words; give texts with a paragraph per line")
    best = {word: counts.most_common(1)[0] for word, counts in forms.items()}
    mixed = {
        word: form
        for word, (form, count) in sorted(best.items())
        if len(word) > 1
        and count >= MIN_FORM_COUNT
        and form != word[:1].upper() + word[1:]
        and form.replace(".", "").lower() == word
    }
    return Books(list(ids), books, mixed)


def split_books(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the paragraphs of each book."""
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield paragraphs
            paragraphs = []
    if paragraphs:
        yield paragraphs


def read_paragraph(line: str) -> list[LabelledWord]:
    """Return the labelled words of a paragraph; none if it is a heading or has almost no words."""
    found = list(read_labels(line))
    upper = sum(CASES[each.case] == "upper" for each in found)
    return [] if len(found) < FEWEST_WORDS or upper > MAX_UPPER_SHARE * len(found) else found


def cut_examples(
    books: Sequence[Labels], longest: int, random: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Cut books into consecutive examples of random lengths, most of which end with a sentence.

    Args:
        books: labelled words of each book.
        longest: words of the longest example.
        random: generator of the lengths.
    Returns:
        the book, the first word and the end of each example.
    """
    examples = []
    for index, book in enumerate(books):
        ends = np.flatnonzero(np.isin(book.marks, SENTENCE_ENDS)) + 1
        start = 0
        while start < len(book):
            shortest, most = (1, SHORT_WORDS) if random.random() < SHORT_SHARE else (SHORT_WORDS, longest)
            end = start + int(random.integers(min(shortest, most), most + 1))
            if random.random() < WHOLE_SENTENCES_SHARE:
                place = np.searchsorted(ends, end, side="right")
                before = int(ends[place - 1]) if place else 0
                after = int(ends[place]) if place < len(ends) else len(book)
                end = before if before > start else after
            end = min(end, start + longest, len(book))
            examples.append((index, start, end))
            start = end
    return examples
