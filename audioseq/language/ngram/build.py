"""Build an n-gram model of a given order, vocabulary and file size from text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audioseq.errors import ConfigError
from audioseq.language.corpus import Corpus
from audioseq.language.ngram import binary, prune
from audioseq.language.ngram.interpolate import interpolate
from audioseq.language.ngram.kneser_ney import estimate
from audioseq.language.ngram.model import NGram
from audioseq.language.vocabulary import Vocabulary

ORDERS = range(1, 7)


@dataclass(frozen=True)
class NGramOptions:
    """Options of an n-gram model.

    Raises:
        ConfigError: a value is out of its range.
    """

    order: int = 3
    """Number of words in the longest n-grams."""
    vocabulary: int | None = None
    """Maximum number of words, the most frequent ones; None for all."""
    at_least: Sequence[int] = ()
    """Minimum counts of n-grams of 2, 3, … words; the last value also applies to longer ones."""
    prune: float = 0.0
    """Remove n-grams whose removal increases the perplexity by less than this fraction, such as 1e-8."""
    max_size: float | None = None
    """Maximum size of the file in megabytes, reached by pruning; None for no limit."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(f"order must be {ORDERS[0]} to {ORDERS[-1]}, got {self.order}")
        for name in ("vocabulary", "max_size"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be more than 0, got {value}")
        if self.prune < 0:
            raise ConfigError(f"prune must be 0 or more, got {self.prune}")


def build(
    corpus: Corpus, options: NGramOptions, base_model: NGram | None = None, weight: float = 0.5
) -> NGram:
    """Estimate a model, interpolate it with a base model if given, and prune it.

    Args:
        corpus: the text.
        options: order, vocabulary and size.
        base_model: model of other text to adapt to this text.
        weight: weight of the new text in the interpolation, 0 to 1.
    Raises:
        DataError: the corpus is empty.
        ConfigError: only the unigrams fit the size.
    """
    vocabulary = Vocabulary.from_counts(corpus.counts(), options.vocabulary)
    model = estimate(corpus.encode(vocabulary), vocabulary, options.order)
    if any(least > 1 for least in options.at_least):
        model = prune.by_count(model, options.at_least)
    if base_model is not None:
        model = interpolate(base_model, model, weight)
    if options.prune:
        model = prune.by_loss(model, options.prune)
    if options.max_size is None:
        return model
    max_bytes = options.max_size * 1e6
    model = prune.to_size(model, lambda whole, keep: binary.estimate_file_size(whole, keep) <= max_bytes)
    if len(model.sizes) == 1 < options.order:
        raise ConfigError(
            f"max_size {options.max_size} MB only fits the unigrams; increase it, "
            f"or make the vocabulary smaller than {len(vocabulary):,} words"
        )
    return model
