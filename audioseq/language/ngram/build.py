"""From text to an n-gram model of the size that is wanted."""

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
class Options:
    """What an n-gram model is to be like.

    Raises:
        ConfigError: a value is out of its range.
    """

    order: int = 3
    """Words in the longest n-grams."""
    vocabulary: int | None = None
    """How many words to know, the most frequent ones; None for all."""
    at_least: Sequence[int] = ()
    """Counts that n-grams of 2, 3, … words must have to stay; the last holds for longer ones too."""
    prune: float = 0.0
    """Leave out n-grams without which the perplexity grows by less than this share each, such as 1e-8."""
    max_size: float | None = None
    """Megabytes of the file: prune until it fits."""

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(f"order must be {ORDERS[0]} to {ORDERS[-1]}, got {self.order}")
        for name in ("vocabulary", "max_size"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be more than 0, got {value}")
        if self.prune < 0:
            raise ConfigError(f"prune must be 0 or more, got {self.prune}")


def build(corpus: Corpus, options: Options, within: NGram | None = None, weight: float = 0.5) -> NGram:
    """Estimate a model, mix it into another if there is one, and prune it.

    Args:
        corpus: the text.
        within: a model of other text that it is to adapt.
        weight: share of the new text in the mixture, 0 to 1.
    Raises:
        DataError: the corpus is empty.
        ConfigError: not even the single words fit the size.
    """
    vocabulary = Vocabulary.from_counts(corpus.counts(), options.vocabulary)
    model = estimate(corpus.encode(vocabulary), vocabulary, options.order)
    if any(least > 1 for least in options.at_least):
        model = prune.by_count(model, options.at_least)
    if within is not None:
        model = interpolate(within, model, weight)
    if options.prune:
        model = prune.by_loss(model, options.prune)
    if options.max_size is None:
        return model
    most = options.max_size * 1e6
    model = prune.to_size(model, lambda whole, keep: binary.size(whole, keep) <= most)
    if len(model.sizes) == 1 < options.order:
        raise ConfigError(
            f"max_size {options.max_size} MB has no room for more than single words; give more, "
            f"or a vocabulary smaller than {len(vocabulary):,} words"
        )
    return model
