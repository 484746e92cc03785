"""Perplexity of a recurrent and of an n-gram language model on the same held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audioseq import checkpoint, models
from audioseq.errors import DataError
from audioseq.language import corpus, pipeline
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_ngram
from audioseq.language.ngram.model import Perplexity
from audioseq.language.task import read_text


@dataclass(frozen=True)
class Report:
    """Perplexity of a text under each model, by the kind of model."""

    rows: dict[str, Perplexity]

    def summary(self) -> str:
        """Return a line for each model."""
        return "\n".join(f"{name}: {row.summary()}" for name, row in self.rows.items())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {name: asdict(row) for name, row in self.rows.items()}


def evaluate(model: str | Path, text: Path, ngram: str | Path | None = None) -> Report:
    """Compute the perplexity of a text under a recurrent or an n-gram language model.

    Args:
        model: name or path.
        text: held-out sentences, one a line.
        ngram: name or path of an n-gram model to compare a recurrent model with, over the same words.
    Raises:
        CheckpointError: a model cannot be read, or is not a language model.
        DataError: the text cannot be read.
    """
    path = models.resolve(model)
    if checkpoint.read_header(path).task == binary.TASK:
        return Report({"ngram": compute_perplexity(path, [text])})
    ngram_path = None if ngram is None else models.resolve(ngram, task=binary.TASK)
    return Report({name: Perplexity(**row) for name, row in compare(path, ngram_path, text).items()})


def compute_perplexity(model: str | Path, texts: Sequence[str | Path]) -> Perplexity:
    """Compute the perplexity of texts under an n-gram model.

    Args:
        model: path.
        texts: text files, or `-` for stdin.
    Raises:
        CheckpointError: the model cannot be read.
        DataError: a text cannot be read, or the texts have no words.
    """
    result = load_ngram(model).perplexity(corpus.sentences(corpus.read_lines(texts)))
    if not result.words:
        raise DataError(f"{', '.join(map(str, texts))}: has no words; give a text with one sentence per line")
    return result


def compare(model: str | Path, ngram: str | Path | None, text: Path) -> dict[str, dict[str, Any]]:
    """Compute the perplexities of a recurrent and of an n-gram model, over the same words.

    The vocabulary of the n-gram model decides which words are unknown; without one, that of a word model.

    Args:
        model: name or path of a recurrent language model.
        ngram: path of an n-gram model, or None.
        text: held-out sentences, one a line.
    Raises:
        CheckpointError: a model cannot be read, or is not a language model.
        DataError: the text cannot be read.
    """
    predictor = pipeline.load_predictor(model)
    units = predictor.units
    texts = read_text([text], units.alphabet)
    vocabulary = units.vocabulary
    table = {}
    if ngram is not None:
        ngram_model = load_ngram(ngram)
        vocabulary = ngram_model.vocabulary
        table["ngram"] = asdict(ngram_model.perplexity(line.split() for line in texts))
    scores = sentence_scores(predictor.model, units, texts)
    table["lstm"] = asdict(word_perplexity(units, texts, scores, vocabulary))
    return table
