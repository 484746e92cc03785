"""Decoding options, and the decoder that they describe: beam search, rescoring and word confidences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audioseq import models
from audioseq.errors import ConfigError
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_cached
from audioseq.language.prefix_scoring import load_prefix_scorer
from audioseq.speech.decoding.beam import BeamDecoder
from audioseq.speech.decoding.beam_search import BeamLimits
from audioseq.speech.decoding.confidence import set_confidences, stored_calibration
from audioseq.speech.decoding.forced_alignment import align_words
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.decoding.hotwords import normalise_hotword
from audioseq.speech.decoding.nbest import Hypothesis, Scorer, rescore, word_posteriors
from audioseq.speech.decoding.weights import (
    CARD_KEY,
    RESCORING_KEY,
    DecodingWeights,
    RescoringWeights,
    stored_table,
    stored_weights,
)
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer

TUNING_FIGURES = ("speakers", "before", "after", "trials", "calibration_errors")
"""Entries of a card about the tuning, which hold only for the model that was tuned."""
N_BEST = 20
"""Maximum number of hypotheses for rescoring and confidences; with 50 or 100, the error rate is the same."""
MAX_DECODERS = 8
"""Decoders that a cache keeps; they differ in hotwords, and each has a lexicon of some megabytes."""


@dataclass(frozen=True)
class DecodingOptions:
    """Options of the beam search.

    Example:
        >>> DecodingOptions(lm="novels.safetensors", hotwords=["kubernetes"]).limits.beam_size
        100
    """

    lm: str | Path | None = None
    """Name or file of an n-gram language model of words; without one, only hotwords influence the search."""
    hotwords: Sequence[str] = ()
    """Words or phrases to boost; the language model need not know them."""
    boost: float = 0.6
    """Hotword boost per letter (natural logarithm)."""
    weights: DecodingWeights | None = None
    """Weights of the language model; None: those of the model card, else the defaults."""
    limits: BeamLimits = field(default_factory=BeamLimits)
    rescorer: str | Path | None = None
    """Name or file of a language model that rescores the n-best list."""
    rescoring_weights: RescoringWeights | None = None
    """Weights of the rescored list; None: those of the model card, else the defaults."""

    def __post_init__(self) -> None:
        # A tuple, because options are the keys under which decoders are cached.
        object.__setattr__(self, "hotwords", tuple(self.hotwords))


Decoding = DecodingOptions | Literal["greedy"] | None
"""Options of the beam search; `greedy` for the best path; None for the options that the model recommends."""


def recommended_options(card: Mapping[str, Any]) -> DecodingOptions | None:
    """Return the options that a model card recommends: those with language models of the catalogue.

    A rescorer is recommended if the card has weights for it.
    """
    table, names = stored_table(card), {model.name for model in models.CATALOGUE}
    lm = models.FORMER_NAMES.get(str(table.get("lm")), table.get("lm"))
    rescorer = table.get("rescorer") if RESCORING_KEY in table else None
    if lm not in names:
        return None
    return DecodingOptions(lm=lm, rescorer=rescorer if rescorer in names else None)


def inherited_options(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a model card that an adapted model keeps: language models and their weights."""
    kept = {name: value for name, value in stored_table(card).items() if name not in TUNING_FIGURES}
    return {CARD_KEY: kept} if kept else {}


class Decoder:
    """A beam search with its language models.

    Args:
        options: the decoding options.
        tokenizer: the tokenizer of the speech model.
        card: the card of the speech model.
    Raises:
        CheckpointError: a language model does not exist, or its file is damaged.
        ConfigError: a hotword has characters that the speech model does not emit.
    """

    def __init__(self, options: DecodingOptions, tokenizer: Tokenizer, card: Mapping[str, Any]) -> None:
        self.options, self.tokenizer = options, tokenizer
        weights, rescoring_weights = stored_weights(card)
        if options.weights is not None:
            weights = options.weights
        self.calibration = stored_calibration(card, "beam")
        self.rescoring_weights = options.rescoring_weights or rescoring_weights
        self.beam_decoder = BeamDecoder(
            tokenizer.pieces,
            None if options.lm is None else load_cached(models.resolve(options.lm, task=binary.TASK)),
            weights=weights,
            limits=options.limits,
            hotwords=[_normalise_hotword(word, tokenizer) for word in options.hotwords],
            boost=options.boost,
        )
        self.rescorer: Scorer | None = None
        if options.rescorer is not None:
            self.rescorer = load_prefix_scorer(options.rescorer)

    def with_hotwords(self, hotwords: Sequence[str]) -> Decoder:
        """Return a decoder with other hotwords and the same language models, which are not loaded again.

        Raises:
            ConfigError: a hotword has characters that the speech model does not emit.
        """
        other = copy(self)
        other.options = replace(self.options, hotwords=hotwords)
        other.beam_decoder = BeamDecoder(
            self.tokenizer.pieces,
            self.beam_decoder.model,
            weights=self.beam_decoder.weights,
            limits=self.options.limits,
            hotwords=[_normalise_hotword(word, self.tokenizer) for word in hotwords],
            boost=self.options.boost,
        )
        return other

    def decode(self, log_probs: np.ndarray) -> list[Hypothesis]:
        """Return the n-best list of emissions `[T, V]`, the best first."""
        return self.decode_all([log_probs])[0]

    def decode_all(self, emissions: Sequence[np.ndarray]) -> list[list[Hypothesis]]:
        """Return the n-best lists of several emissions `[T, V]`; together they are rescored faster."""
        return self.rescore([self.beam_decoder(log_probs, N_BEST) for log_probs in emissions])

    def rescore(self, lists: Sequence[Sequence[Hypothesis]]) -> list[list[Hypothesis]]:
        """Sort n-best lists by the scores of the rescorer, if there is one."""
        if self.rescorer is None:
            return [list(hypotheses) for hypotheses in lists]
        return rescore(lists, self.rescorer, self.beam_decoder.weights, self.rescoring_weights)

    def decode_words(self, emissions: Sequence[np.ndarray], frame_seconds: float) -> list[list[Word]]:
        """Return the words of the best hypotheses, with timestamps and confidences."""
        lists = self.decode_all(emissions)
        return [self.to_words(*each, frame_seconds) for each in zip(emissions, lists, strict=True)]

    def to_words(
        self, log_probs: np.ndarray, hypotheses: Sequence[Hypothesis], frame_seconds: float
    ) -> list[Word]:
        """Return the words of the first hypothesis for emissions `[T, V]`, with times and confidences."""
        return set_confidences(
            align_words(log_probs, hypotheses[0].tokens, self.tokenizer, frame_seconds),
            word_posteriors(hypotheses),
            greedy(log_probs),
            self.calibration,
        )


class DecoderCache:
    """The decoders of a speech model that were used last.

    Args:
        tokenizer: the tokenizer of the speech model.
        card: the card of the speech model.
    """

    def __init__(self, tokenizer: Tokenizer, card: Mapping[str, Any]) -> None:
        self._tokenizer, self._card = tokenizer, card
        self._decoders: dict[DecodingOptions, Decoder] = {}

    def load(self, options: DecodingOptions) -> Decoder:
        """Return the decoder for options; decoders that differ only in hotwords share their models.

        Raises:
            CheckpointError, ConfigError: as in `Decoder`.
        """
        decoder = self._decoders.pop(options, None)
        if decoder is None:
            plain_options = replace(options, hotwords=())
            if plain := self._decoders.pop(plain_options, None):
                decoder = plain.with_hotwords(options.hotwords)
                self._decoders[plain_options] = plain
            else:
                decoder = Decoder(options, self._tokenizer, self._card)
            for oldest in list(self._decoders)[: 1 - MAX_DECODERS]:
                del self._decoders[oldest]
        self._decoders[options] = decoder
        return decoder


def _normalise_hotword(word: str, tokenizer: Tokenizer) -> str:
    normalised = normalise_hotword(word, tokenizer.alphabet)
    if normalised is None:
        raise ConfigError(
            f"hotword {word!r}: the model emits only {tokenizer.alphabet!r}; write it with these characters"
        )
    return normalised
