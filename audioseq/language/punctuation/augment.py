"""Errors of a speech recogniser in the words of a text, and pauses between them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import DataError
from audioseq.files import parse_json, read_text
from audioseq.language.punctuation.books import SENTENCE_ENDS, Labels
from audioseq.language.punctuation.labels import CASES, NAMES

MAX_ERROR_RATE = 0.3
"""The errors per word of an example are a random number up to this."""
SPREAD_OF_TEMPO = 0.3
"""Standard deviation of the logarithm of a speaker's tempo, by which the pauses of an example are scaled."""
SPOKEN = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "messrs": "messieurs"}
"""How a recogniser writes abbreviations."""
_GROUPS = str.maketrans("bdgcqvzyhw", "ptkkkfs\0\0\0")
"""Letters whose sounds are confused, mapped to one of them; letters that are left out of the key."""
TITLE, LOWER = CASES.index("title"), CASES.index("lower")


def sound_key(word: str) -> str:
    """Return a key that words of similar sound share.

    Example:
        >>> sound_key("debt"), sound_key("tabbed")
        ('tpt', 'tpt')
    """
    letters = word[:1] + re.sub("[aeiouyhw']", "", word[1:])
    return re.sub(r"(.)\1+", r"\1", letters.translate(_GROUPS).replace("\0", ""))


class RecogniserErrors:
    """Substitutions, deletions and insertions of words, in the proportions of a recogniser.

    A substituted word becomes one that the recogniser confused it with, or one of similar sound.
    Abbreviations are spelled out.

    Args:
        counts: how many `substitution`, `deletion` and `insertion` errors the recogniser made.
        confusions: for each word, those that the recogniser wrote in its place.
        inserted: words that the recogniser inserted.
        words: the words of the texts; errors are among them.
    """

    def __init__(
        self,
        counts: Mapping[str, float],
        confusions: Mapping[str, Sequence[str]],
        inserted: Sequence[str],
        words: Sequence[str],
    ) -> None:
        total = sum(counts.values())
        self._substitution, self._deletion = (counts[name] / total for name in ("substitution", "deletion"))
        ids = {word: index for index, word in enumerate(words)}
        similar: defaultdict[str, list[int]] = defaultdict(list)
        for word, index in ids.items():
            similar[sound_key(word)].append(index)
        self.inserted = [ids[word] for word in inserted if word in ids]
        self._words = words
        self._spoken = {ids[short]: ids[long] for short, long in SPOKEN.items() if {short, long} <= set(ids)}
        self._similar = similar
        self._pronouns = {index for word, index in ids.items() if word.partition("'")[0] == "i"}
        self._confusions = {
            ids[word]: [ids[other] for other in others if other in ids]
            for word, others in confusions.items()
            if word in ids
        }

    def corrupt(self, text: Labels, random: np.random.Generator) -> Labels:
        """Return a text with errors.

        The mark of a deleted word moves to the word before it, and that before an inserted word to the
        inserted one. The first word of a sentence has title case.
        """
        draws = random.random(len(text)) / random.uniform(0.0, MAX_ERROR_RATE)
        wrong = np.flatnonzero(draws < 1)
        words, cases, marks = (column.tolist() for column in (text.words, text.cases, text.marks))
        words = [self._spoken.get(word, word) for word in words]
        for place in wrong[::-1].tolist():  # from the end, so that the places before stay valid
            first = place == 0 or marks[place - 1] in SENTENCE_ENDS
            if draws[place] < self._substitution:
                words[place] = self._confuse(words[place], random)
                is_title = (first and cases[place]) or words[place] in self._pronouns
                cases[place] = TITLE if is_title else LOWER
            elif draws[place] < self._substitution + self._deletion:
                if len(words) == 1:
                    break
                if place and not marks[place - 1]:
                    marks[place - 1] = marks[place]
                if first and place + 1 < len(words):
                    cases[place + 1] = cases[place + 1] or TITLE
                del words[place], cases[place], marks[place]
            elif self.inserted:
                words.insert(place + 1, int(random.choice(self.inserted)))
                cases.insert(place + 1, LOWER)
                marks.insert(place, 0)
        return Labels(np.array(words, np.int32), np.array(cases), np.array(marks))

    def _confuse(self, word: int, random: np.random.Generator) -> int:
        others = self._confusions.get(word) or self._similar[sound_key(self._words[word])]
        return others[int(random.integers(len(others)))]


class Pauses:
    """Pauses after words, drawn from those that were measured after each mark.

    Args:
        seconds: pauses after words with each mark, by its name.
    """

    def __init__(self, seconds: Mapping[str, Sequence[float]]) -> None:
        everything = [pause for name in NAMES for pause in seconds.get(name, ())]
        self._seconds = [np.array(seconds.get(name) or everything) for name in NAMES]

    def draw(self, marks: Iterable[int], random: np.random.Generator) -> list[float]:
        """Return a pause in seconds after each word."""
        tempo = float(np.exp(SPREAD_OF_TEMPO * random.standard_normal()))
        draws = random.random(len(marks := list(marks)))
        seconds = (self._seconds[mark] for mark in marks)
        return [float(each[int(draw * len(each))]) * tempo for each, draw in zip(seconds, draws, strict=True)]


def read_errors(path: Path, words: Sequence[str]) -> RecogniserErrors:
    """Read the errors of a recogniser from a JSON file.

    Raises:
        DataError: the file cannot be read, or lacks a value.
    """
    table = _table(path)
    try:
        return RecogniserErrors(table["counts"], table["confusions"], table["inserted"], words)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: is no table of errors ({error}); write it with prepare.py again") from None


def read_pauses(path: Path) -> Pauses:
    """Read pauses from a JSON file; DataError if it cannot be read."""
    return Pauses(_table(path))


def _table(path: Path) -> dict[str, Any]:
    try:
        table = parse_json(read_text(path, DataError))
    except ValueError as error:
        raise DataError(f"{path}: is not JSON ({error}); write it with prepare.py again") from None
    if not isinstance(table, dict):
        raise DataError(f"{path}: is not a JSON object; write it with prepare.py again")
    return table
