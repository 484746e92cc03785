"""Precision, recall and F1 of marks and capitals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz.distance import Levenshtein

from audioseq.language.punctuation.labels import CASES, NAMES, LabelledWord

MEASURED_CASES = ("title", "upper")
"""Cases that have an F1; the pronoun I, which is always a capital, does not count."""


@dataclass
class Counts:
    """Counts of a label."""

    correct: int = 0
    predicted: int = 0
    reference: int = 0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 if the label occurs neither in the reference nor found."""
        total = self.predicted + self.reference
        return 2 * self.correct / total if total else 1.0

    def to_dict(self) -> dict[str, float]:
        """Return the measures, rounded."""
        precision = self.correct / self.predicted if self.predicted else 0.0
        recall = self.correct / self.reference if self.reference else 0.0
        named = {"f1": self.f1, "precision": precision, "recall": recall}
        return {**{name: round(value, 4) for name, value in named.items()}, "count": self.reference}


@dataclass
class Score:
    """Counts of all labels of a text."""

    labels: dict[str, Counts] = field(
        default_factory=lambda: {name: Counts() for name in (*NAMES[1:], *MEASURED_CASES)}
    )
    words: int = 0

    def add(self, words: Sequence[LabelledWord], found: Iterable[tuple[int, int]]) -> None:
        """Count the labels of a text.

        Args:
            words: the words with the labels of the reference.
            found: the case and the mark that a model gives each of them.
        """
        for word, (case, mark) in zip(words, found, strict=True):
            self.words += 1
            self._count(NAMES[word.mark], NAMES[mark])
            if word.word.partition("'")[0] != "i":
                self._count(CASES[word.case], CASES[case])

    def _count(self, reference: str, found: str) -> None:
        for name, correct in ((reference, found == reference), (found, False)):
            counts = self.labels.get(name)
            if counts is not None:
                counts.correct += correct
        if reference in self.labels:
            self.labels[reference].reference += 1
        if found in self.labels:
            self.labels[found].predicted += 1

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the marks that occur in the reference."""
        present = [self.labels[name].f1 for name in NAMES[1:] if self.labels[name].reference]
        return sum(present) / len(present) if present else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        labels = {name: counts.to_dict() for name, counts in self.labels.items() if counts.reference}
        return {"words": self.words, "macro_f1": round(self.macro_f1, 4), **labels}


def transfer_labels(reference: Sequence[LabelledWord], words: Sequence[str]) -> list[LabelledWord]:
    """Give the labels of a reference to recognised words.

    Words are aligned by edit distance. The mark of a word that is missing moves to the word before it, if
    that has none; an inserted word has no label.

    Example:
        >>> from audioseq.language.punctuation.labels import MARKS, read_labels
        >>> reference = list(read_labels("Well, I saw. He ran."))
        >>> found = transfer_labels(reference, ["well", "i", "saw", "he"])
        >>> [CASES[word.case] + MARKS[word.mark] for word in found]
        ['title,', 'title', 'lower.', 'title.']
    """
    labels = [[0, 0] for _ in words]
    last = -1
    spoken = [each.word for each in reference]
    for block in Levenshtein.opcodes(spoken, list(words)):
        if block.tag == "insert":
            last = block.dest_end - 1
        for offset, each in enumerate(reference[block.src_start : block.src_end]):
            if block.tag == "delete":
                if last >= 0 and not labels[last][1]:
                    labels[last][1] = each.mark
            else:
                last = block.dest_start + offset
                labels[last] = [each.case, each.mark]
    return [LabelledWord(word, case, mark, word) for word, (case, mark) in zip(words, labels, strict=True)]
