"""The beam search as a user asks for it: which language model, which hotwords, how wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audioseq import models
from audioseq.errors import ConfigError
from audioseq.language.ngram import binary
from audioseq.speech.decoding.beam import BeamDecoder, BeamLimits, DecodingWeights, Hypothesis
from audioseq.speech.decoding.forced_alignment import align_words
from audioseq.speech.decoding.nbest import Scorer, confidences, rescore
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer, normalise

CARD_KEY = "decoder"
"""Where a model's card holds its weights."""
DEFAULT_GAMMA = 0.3
N_BEST = 100
"""Texts that are compared for confidences and rescoring, if the beam holds so many."""


@dataclass(frozen=True)
class DecodingOptions:
    """How to find the most probable text, where the most probable token of each frame is not enough.

    Example:
        >>> BeamSearch(lm="novels.safetensors", hotwords=["kubernetes"]).limits.width
        100
    """

    lm: str | Path | None = None
    """Name or file of an n-gram model of words; without it only hotwords count beside the sound."""
    hotwords: Sequence[str] = ()
    """Words or phrases to expect, whether the language model knows them or not."""
    boost: float = 0.4
    """Of each letter of a hotword, natural logarithm."""
    weights: DecodingWeights | None = None
    """Of the language model; None takes those that the speech model's card holds, if any. So for gamma."""
    limits: BeamLimits = field(default_factory=BeamLimits)
    rescorer: str | Path | None = None
    """Name or file of a language model that orders the best texts anew."""
    gamma: float | None = None
    """Factor of that model's log-probabilities."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "hotwords", tuple(self.hotwords)
        )  # a list will do; searches are kept by this


Decoding = DecodingOptions | Literal["greedy"] | None
"""A search; `greedy`, the most probable token of each frame; None, what the speech model's card advises."""


def recommended_options(card: Mapping[str, Any]) -> DecodingOptions | None:
    """Return the search that a speech model's card advises: with a language model that has a name."""
    stored = card.get(CARD_KEY)
    lm = stored.get("lm") if isinstance(stored, Mapping) else None
    return DecodingOptions(lm=lm) if lm in {model.name for model in models.CATALOGUE} else None


class Decoder:
    """A beam search with its language models at hand.

    Args:
        options: what to search with.
        tokenizer: of the speech model.
        card: of the speech model.
    Raises:
        CheckpointError: there is no such language model, or its file is damaged.
        ConfigError: a hotword cannot be spelt by the speech model; a limit is out of range.
    """

    def __init__(self, options: DecodingOptions, tokenizer: Tokenizer, card: Mapping[str, Any]) -> None:
        self.tokenizer = tokenizer
        weights, self.gamma = _tuned(options, card)
        self.decoder = BeamDecoder(
            tokenizer.pieces,
            None if options.lm is None else binary.load(models.resolve(options.lm, task=binary.TASK)),
            weights=weights,
            limits=options.limits,
            hotwords=[_spelt(word, tokenizer) for word in options.hotwords],
            boost=options.boost,
        )
        self.scorer = None if options.rescorer is None else _open_scorer(options.rescorer)

    def candidates(self, log_probs: np.ndarray) -> list[Hypothesis]:
        """Return the most probable texts of emissions `[T, V]`, the best first."""
        found = self.decoder(log_probs, N_BEST)
        return found if self.scorer is None else rescore(found, self.scorer, self.gamma)

    def words(self, log_probs: np.ndarray, frame_seconds: float) -> list[Word]:
        """Return the words of the best text, each with its time and its share of all candidates."""
        found = self.candidates(log_probs)
        words = align_words(log_probs, found[0].tokens, self.tokenizer, frame_seconds)
        return [
            replace(word, confidence=confidence)
            for word, confidence in zip(words, confidences(found), strict=True)
        ]


def _tuned(options: DecodingOptions, card: Mapping[str, Any]) -> tuple[DecodingWeights, float]:
    """Return weights and gamma: those asked for, else those of the card, else the usual ones."""
    stored = card.get(CARD_KEY)
    numbers = {
        name: float(value)
        for name, value in (stored.items() if isinstance(stored, Mapping) else ())
        if name in (*(each.name for each in fields(DecodingWeights)), "gamma")
        and isinstance(value, int | float)
    }
    gamma = numbers.pop("gamma", DEFAULT_GAMMA)
    return (
        DecodingWeights(**numbers) if options.weights is None else options.weights,
        gamma if options.gamma is None else options.gamma,
    )


def _spelt(word: str, tokenizer: Tokenizer) -> str:
    spelt = normalise(word, tokenizer.alphabet)
    if not spelt.text or spelt.dropped:
        raise ConfigError(f"hotword {word!r}: the model writes {tokenizer.alphabet!r} only; spell it so")
    return spelt.text


def _open_scorer(name: str | Path) -> Scorer:
    from audioseq.language import pipeline  # it brings torch

    return pipeline.load_predictor(models.resolve(name, task="language")).score
