"""F1 of marks and capitals on held-out books and on transcripts, and the choice of the biases of marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq import checkpoint, models
from audioseq.language.corpus import read_lines
from audioseq.language.punctuation.books import read_paragraph, split_books
from audioseq.language.punctuation.labels import CASES, NAMES, LabelledWord
from audioseq.language.punctuation.metrics import Score
from audioseq.language.punctuation.pipeline import Punctuator, load_punctuator

BIASES = np.arange(-3.0, 3.01, 0.25)
"""Values that are tried for the bias of a label."""
MIN_PRECISION = 0.5
"""A bias with a lower precision of its label is not chosen: most marks in a text should be right."""


@dataclass(frozen=True)
class Report:
    """F1 on a text."""

    total: Score
    """All books together."""
    books: list[Score]

    def summary(self) -> str:
        """Return a table of the labels, and the range of the macro F1 of the books."""
        rows = [f"{'label':12}{'F1':>8}{'precision':>11}{'recall':>8}{'count':>8}"]
        for name, counts in self.total.labels.items():
            row = counts.to_dict()
            rows.append(
                f"{name:12}{row['f1']:8.3f}{row['precision']:11.3f}{row['recall']:8.3f}{row['count']:8,.0f}"
            )
        each = self._macros()
        rows.append(f"macro F1 of the marks {self.total.macro_f1:.3f} over {self.total.words:,} words")
        rows.append(f"by book: median {np.median(each):.3f}, from {min(each):.3f} to {max(each):.3f}")
        return "\n".join(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        by_book = {"macro": _spread(self._macros())}
        for name in self.total.labels:
            if each := [score.labels[name].f1 for score in self.books if score.labels[name].reference]:
                by_book[name] = _spread(each)
        return {**self.total.to_dict(), "books": len(self.books), "f1_by_book": by_book}

    def _macros(self) -> list[float]:
        return [score.macro_f1 for score in self.books]


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the lowest and the highest value, rounded."""
    spread = {"median": float(np.median(values)), "lowest": min(values), "highest": max(values)}
    return {name: round(value, 4) for name, value in spread.items()}


def evaluate(model: str | Path, text: Path, device: str = "auto") -> Report:
    """Evaluate a model on a written text, whose words it gets without case and marks.

    Args:
        model: name or path.
        text: a paragraph a line, an empty line between books.
        device: device to run on.
    Raises:
        CheckpointError: the model cannot be read, or is for another task.
        DataError: the text cannot be read.
    """
    punctuator = load_punctuator(model, device)
    total, scores = Score(), []
    for words in read_written(text):
        score = Score()
        found = list(punctuator.label([word.word for word in words]))
        for each in (score, total):
            each.add(words, found)
        scores.append(score)
    return Report(total, scores)


def evaluate_texts(
    punctuator: Punctuator, texts: Iterable[tuple[Sequence[LabelledWord], Sequence[float] | None]]
) -> Score:
    """Count the labels of texts that are each labelled on its own, with pauses if they are known."""
    score = Score()
    for words, pauses in texts:
        score.add(words, punctuator.label([word.word for word in words], pauses))
    return score


def read_written(path: Path) -> list[list[LabelledWord]]:
    """Return the labelled words of each book of a text."""
    books = (
        [each for line in lines for each in read_paragraph(line)] for lines in split_books(read_lines([path]))
    )
    return [book for book in books if book]


def tune(model: str | Path, text: Path, output: Path) -> Path:
    """Write a model with biases that are chosen on a validation text, and return its path.

    Raises:
        CheckpointError: the model cannot be read, or is for another task.
        DataError: the text cannot be read.
        FileError: the file cannot be written.
    """
    stored = checkpoint.load(models.resolve(model, task="punctuation"), task="punctuation")
    plain = {**stored.header.config, "mark_bias": {}, "case_bias": {}}
    checkpoint.save(output, stored.weights, replace(stored.header, config=plain))
    books, punctuator = read_written(text), load_punctuator(output)
    scores = [part for book in books for part in punctuator.score([word.word for word in book])]
    words = [word for book in books for word in book]
    biases = {}
    for key, column, names in ("mark_bias", "marks", NAMES), ("case_bias", "cases", CASES):
        biases[key] = choose_biases(
            np.concatenate([getattr(part, column) for part in scores]),
            np.array([getattr(word, column.removesuffix("s")) for word in words]),
            names,
        )
    checkpoint.save(output, stored.weights, replace(stored.header, config={**plain, **biases}))
    return output


def choose_biases(
    scores: NDArray[np.floating], reference: NDArray[np.int64], names: Sequence[str]
) -> dict[str, float]:
    """Choose the bias of each label but the first that gives it the highest F1, with the others unbiased.

    A label whose precision is too low with every bias gets the lowest bias.

    Args:
        scores: unnormalised log probabilities of the labels `[N, L]`.
        reference: the correct labels `[N]`.
        names: names of the labels.
    """
    biases = {}
    for label, name in enumerate(names[1:], 1):
        other = np.delete(scores, label, 1).max(1)
        qualities = []
        for bias in BIASES:
            chosen = scores[:, label] + bias > other
            correct = int((reference[chosen] == label).sum())
            f1 = 2 * correct / max(1, int(chosen.sum() + (reference == label).sum()))
            qualities.append(f1 if correct >= MIN_PRECISION * chosen.sum() else -1.0)
        biases[name] = float(BIASES[int(np.argmax(qualities))])
    return biases
