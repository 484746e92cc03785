"""A language model and an n-gram on the same held-out sentences, side by side."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from audioseq.language import ngram, pipeline
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.task import read_text
from audioseq.language.vocabulary import Vocabulary


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
    predictor = pipeline.load(model)
    units = predictor.units
    texts = read_text([text], units.alphabet)
    known = units.source if isinstance(units.source, Vocabulary) else None
    table = {}
    if other is not None:
        grams = ngram.load(other)
        known = grams.vocabulary
        table["ngram"] = asdict(grams.perplexity(line.split() for line in texts))
    scores = sentence_scores(predictor.model, units, texts)
    table["lstm"] = asdict(word_perplexity(units, texts, scores, known))
    return table
