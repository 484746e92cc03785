"""Decoding options, and the decoder that they describe: beam search, rescoring and word confidences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audioseq import models
from audioseq.errors import ConfigError
from audioseq.language.ngram import binary
from audioseq.language.ngram.files import load_ngram
from audioseq.speech.decoding.beam import BeamDecoder, BeamLimits, DecodingWeights
from audioseq.speech.decoding.forced_alignment import align_words
from audioseq.speech.decoding.hotwords import normalise_hotword
from audioseq.speech.decoding.nbest import Hypothesis, Scorer, rescore, word_confidences
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer

CARD_KEY = "decoder"
"""Key of the model card for the tuned weights."""
FORMER_WEIGHTS = {"unknown": "oov_penalty", "blank": "blank_penalty"}
"""Names of weights in the cards of earlier versions."""
TUNING_FIGURES = ("speakers", "before", "after", "trials")
"""Entries of a card about the tuning, which hold only for the model that was tuned."""
DEFAULT_GAMMA = 0.3
N_BEST = 100
"""Maximum number of hypotheses for rescoring and confidences."""


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
    boost: float = 0.4
    """Hotword boost per letter (natural logarithm)."""
    weights: DecodingWeights | None = None
    """Weights of the language model; None: those of the model card, else the defaults."""
    limits: BeamLimits = field(default_factory=BeamLimits)
    rescorer: str | Path | None = None
    """Name or file of a language model that rescores the n-best list."""
    gamma: float | None = None
    """Rescoring weight; None: that of the model card, else `DEFAULT_GAMMA`."""

    def __post_init__(self) -> None:
        # A tuple, because options are the keys under which decoders are cached.
        object.__setattr__(self, "hotwords", tuple(self.hotwords))


Decoding = DecodingOptions | Literal["greedy"] | None
"""Options of the beam search; `greedy` for the best path; None for the options that the model recommends."""


def recommended_options(card: Mapping[str, Any]) -> DecodingOptions | None:
    """Return the options that a model card recommends: those with a language model of the catalogue."""
    stored = card.get(CARD_KEY)
    lm = stored.get("lm") if isinstance(stored, Mapping) else None
    return DecodingOptions(lm=lm) if lm in {model.name for model in models.CATALOGUE} else None


def inherited_options(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a model card that an adapted model keeps: language models and their weights."""
    stored = card.get(CARD_KEY)
    if not isinstance(stored, Mapping):
        return {}
    return {CARD_KEY: {name: value for name, value in stored.items() if name not in TUNING_FIGURES}}


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
        self.tokenizer = tokenizer
        weights, self.gamma = _choose_weights(options, card)
        self.beam_decoder = BeamDecoder(
            tokenizer.pieces,
            None if options.lm is None else load_ngram(models.resolve(options.lm, task=binary.TASK)),
            weights=weights,
            limits=options.limits,
            hotwords=[_normalise_hotword(word, tokenizer) for word in options.hotwords],
            boost=options.boost,
        )
        self.rescorer = None if options.rescorer is None else _load_rescorer(options.rescorer)

    def decode(self, log_probs: np.ndarray) -> list[Hypothesis]:
        """Return the n-best list of emissions `[T, V]`, the best first."""
        hypotheses = self.beam_decoder(log_probs, N_BEST)
        return hypotheses if self.rescorer is None else rescore(hypotheses, self.rescorer, self.gamma)

    def decode_words(self, log_probs: np.ndarray, frame_seconds: float) -> list[Word]:
        """Return the words of the best hypothesis, with timestamps and confidences from the n-best list."""
        hypotheses = self.decode(log_probs)
        words = align_words(log_probs, hypotheses[0].tokens, self.tokenizer, frame_seconds)
        pairs = zip(words, word_confidences(hypotheses), strict=True)
        return [replace(word, confidence=confidence) for word, confidence in pairs]


def _choose_weights(options: DecodingOptions, card: Mapping[str, Any]) -> tuple[DecodingWeights, float]:
    """Return weights and gamma: those of the options, else of the card, else the defaults."""
    stored = card.get(CARD_KEY)
    items = stored.items() if isinstance(stored, Mapping) else ()
    named = {FORMER_WEIGHTS.get(name, name): value for name, value in items}
    numbers = {
        name: float(named[name])
        for name in (*(each.name for each in fields(DecodingWeights)), "gamma")
        if isinstance(named.get(name), int | float)
    }
    gamma = numbers.pop("gamma", DEFAULT_GAMMA)
    weights = DecodingWeights(**numbers) if options.weights is None else options.weights
    return weights, gamma if options.gamma is None else options.gamma


def _normalise_hotword(word: str, tokenizer: Tokenizer) -> str:
    normalised = normalise_hotword(word, tokenizer.alphabet)
    if normalised is None:
        raise ConfigError(
            f"hotword {word!r}: the model emits only {tokenizer.alphabet!r}; write it with these characters"
        )
    return normalised


def _load_rescorer(name: str | Path) -> Scorer:
    from audioseq.language import pipeline  # imports torch

    return pipeline.load_predictor(models.resolve(name, task="language")).score
