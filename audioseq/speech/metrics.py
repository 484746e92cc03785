"""Word and character error rates, and alignments of references with hypotheses."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

_MARKS = {"equal": " ", "replace": "S", "delete": "D", "insert": "I"}


class Edit(NamedTuple):
    """One column of an alignment of two texts."""

    mark: str
    """" " for equal, "S" for a substitution, "D" for a deletion, "I" for an insertion."""
    reference: str
    """Empty for an insertion."""
    hypothesis: str
    """Empty for a deletion."""


class UtteranceResult(NamedTuple):
    """The reference and the hypothesis of an utterance."""

    name: str
    reference: str
    hypothesis: str


@dataclass
class ErrorRate:
    """Error rate over a set of utterances: all errors divided by the total reference length (micro-average).

    Example:
        >>> words = ErrorRate()
        >>> words.add("the cat sat".split(), "the cat sat down".split())
        >>> words.add("on it".split(), "in it".split())
        >>> words.errors, words.length, words.rate
        (2, 5, 0.4)
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    length: int = 0
    """Words or characters of the references."""

    def add(self, reference: Sequence[str], hypothesis: Sequence[str]) -> None:
        """Add the errors of one utterance, given as sequences of words or of characters."""
        kinds = Counter(operation.tag for operation in Levenshtein.editops(reference, hypothesis))
        self.substitutions += kinds["replace"]
        self.deletions += kinds["delete"]
        self.insertions += kinds["insert"]
        self.length += len(reference)

    @property
    def errors(self) -> int:
        """Sum of substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors per reference word or character; infinite for errors with an empty reference."""
        if not self.length:
            return math.inf if self.errors else 0.0
        return self.errors / self.length


def word_errors(results: Iterable[UtteranceResult]) -> ErrorRate:
    """Compute the word error rate (WER) of a set of utterances."""
    total = ErrorRate()
    for result in results:
        total.add(result.reference.split(), result.hypothesis.split())
    return total


def char_errors(results: Iterable[UtteranceResult]) -> ErrorRate:
    """Compute the character error rate (CER), including spaces, of a set of utterances."""
    total = ErrorRate()
    for result in results:
        total.add(result.reference, result.hypothesis)
    return total


def align_texts(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Edit]:
    """Align two texts with the fewest edits; return the columns of the alignment.

    Example:
        >>> [edit.mark for edit in align_texts("a b c".split(), "a x c d".split())]
        [' ', 'S', ' ', 'I']
    """
    edits: list[Edit] = []
    for block in Levenshtein.opcodes(reference, hypothesis):
        left = reference[block.src_start : block.src_end]
        right = hypothesis[block.dest_start : block.dest_end]
        mark = _MARKS[block.tag]
        edits += [Edit(mark, *pair) for pair in zip_longest(left, right, fillvalue="")]
    return edits


def format_alignment(reference: str, hypothesis: str) -> str:
    """Format an alignment of two texts in columns, with S, D or I below substitutions, deletions, insertions.

    Example:
        >>> print(format_alignment("the cat sat", "the hat sat down"))
        ref  the cat sat ****
        hyp  the hat sat down
                 S       I
    """
    lines = ["ref ", "hyp ", "    "]
    for edit in align_texts(reference.split(), hypothesis.split()):
        width = max(_width(edit.reference), _width(edit.hypothesis))
        cells = edit.reference or "*" * width, edit.hypothesis or "*" * width, edit.mark
        for index, cell in enumerate(cells):
            lines[index] += " " + cell + " " * (width - _width(cell))
    return "\n".join(line.rstrip() for line in lines).rstrip()


def substitutions(results: Iterable[UtteranceResult]) -> Counter[tuple[str, str]]:
    """Count the substitutions of words as (reference, hypothesis)."""
    return Counter(
        (edit.reference, edit.hypothesis)
        for result in results
        for edit in align_texts(result.reference.split(), result.hypothesis.split())
        if edit.mark == "S"
    )


def worst(results: Iterable[UtteranceResult], count: int = 10) -> list[tuple[float, UtteranceResult]]:
    """Return the utterances with the highest word error rates, longer ones first among equal rates."""
    rated = [(word_errors([result]).rate, result) for result in results]
    return sorted(rated, key=lambda pair: (-pair[0], -len(pair[1].reference), pair[1].name))[:count]


def _width(text: str) -> int:
    """Return the terminal columns of a text: 0 for a combining accent, 2 for a wide character."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)
