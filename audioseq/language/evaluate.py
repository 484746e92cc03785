"""A language model and an n-gram on the same held-out sentences, side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audioseq import checkpoint, models
from audioseq.language import corpus, pipeline
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_ngram
from audioseq.language.ngram.model import Perplexity
from audioseq.language.task import read_text
from audioseq.language.vocabulary import Vocabulary


@dataclass(frozen=True)
class Report:
    """How well models foresaw some text, by what they are."""

    rows: dict[str, Perplexity]

    def summary(self) -> str:
        """Tell it in a line a model."""
        return "\n".join(f"{name}: {row.summary()}" for name, row in self.rows.items())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that are ready for JSON."""
        return {name: asdict(row) for name, row in self.rows.items()}


def evaluate(model: str | Path, text: Path, other: str | Path | None = None) -> Report:
    """Measure a language model on text, whichever of both kinds it is.

    Args:
        model: name or path.
        text: held-out sentences, one a line.
        other: of an n-gram model to stand beside, over the same words.
    Raises:
        CheckpointError, DataError: a file cannot be read, or is something else.
    """
    path = models.resolve(model)
    if checkpoint.read_header(path).task == binary.TASK:
        return Report({"ngram": load_ngram(path).perplexity(corpus.sentences(corpus.read([text])))})
    grams = None if other is None else models.resolve(other, task=binary.TASK)
    return Report({name: Perplexity(**row) for name, row in compare(path, grams, text).items()})


def compare(model: str | Path, other: str | Path | None, text: Path) -> dict[str, dict[str, Any]]:
    """Return the perplexities of a language model and of an n-gram model, over the same words.

    Both count as known the words that the n-gram knows; where there is none, those of a model of words.

    Args:
        model: name or path of a language model.
        other: path of an n-gram model, if there is one.
        text: held-out sentences, one a line.
    Raises:
        CheckpointError, DataError: a file cannot be read, or is something else.
    """
    predictor = pipeline.load_predictor(model)
    units = predictor.units
    texts = read_text([text], units.alphabet)
    known = units.source if isinstance(units.source, Vocabulary) else None
    table = {}
    if other is not None:
        grams = load_ngram(other)
        known = grams.vocabulary
        table["ngram"] = asdict(grams.perplexity(line.split() for line in texts))
    scores = sentence_scores(predictor.model, units, texts)
    table["lstm"] = asdict(word_perplexity(units, texts, scores, known))
    return table
