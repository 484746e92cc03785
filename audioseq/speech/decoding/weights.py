"""Weights of the language models in the search and in rescoring, and how model cards store them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

CARD_KEY = "decoder"
"""Key of the model card for the recommended language models and the tuned weights."""
RESCORING_KEY = "rescoring"
"""Key in this table for the weights of rescoring; a card without it recommends no rescoring."""
FORMER_WEIGHTS = {"unknown": "oov_penalty", "blank": "blank_penalty"}
"""Names of weights in the cards of earlier versions."""
DEFAULT_GAMMA = 0.3

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

W = TypeVar("W", bound="DataclassInstance")


@dataclass(frozen=True)
class DecodingWeights:
    """Weights of the language model relative to the acoustic model; `audioseq tune` finds the values."""

    alpha: float = 0.4
    """Language model weight: factor of the log-probabilities of words."""
    beta: float = 1.5
    """Word bonus: added for each word, against a bias towards few words."""
    oov_penalty: float = -1.5
    """Added for each letter of an out-of-vocabulary word, besides the log-probability of `<unk>`."""
    blank_penalty: float = 0.0
    """Subtracted from the log-probability of the blank in each frame: networks overestimate the blank."""


@dataclass(frozen=True)
class RescoringWeights:
    """Weights of the final scores of an n-best list; those of the n-gram model replace those of the search.

    In the search the n-gram model also limits the hypotheses to plausible ones. When a second language model
    orders them, the n-gram model needs less weight.
    """

    alpha: float
    """Weight of the n-gram model."""
    beta: float
    """Word bonus."""
    oov_penalty: float
    """Added for each letter of a word that the n-gram model does not know."""
    gamma: float = DEFAULT_GAMMA
    """Weight of the second language model."""


def stored_table(card: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the decoder's table of a model card, with the current names of weights; empty if it has none."""
    stored = card.get(CARD_KEY)
    table: Mapping[str, Any] = stored if isinstance(stored, Mapping) else {}
    return {FORMER_WEIGHTS.get(name, name): value for name, value in table.items()}


def stored_weights(card: Mapping[str, Any]) -> tuple[DecodingWeights, RescoringWeights]:
    """Return the weights of a model card, with defaults for those that it lacks.

    Without weights for rescoring, those of the search are used, and the card's `gamma`.
    """
    table = stored_table(card)
    search = fill(DecodingWeights(), table)
    rescoring = fill(
        RescoringWeights(search.alpha, search.beta, search.oov_penalty), {"gamma": table.get("gamma")}
    )
    own = table.get(RESCORING_KEY)
    return search, fill(rescoring, own) if isinstance(own, Mapping) else rescoring


def fill(weights: W, table: Mapping[str, Any]) -> W:
    """Replace the fields of a dataclass of numbers that a table has as numbers."""
    found = {each.name: table.get(each.name) for each in fields(weights)}
    numbers = {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
    return type(weights)(**{**asdict(weights), **numbers})
