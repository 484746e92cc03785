"""Word confidences: estimated probabilities that words are correct, calibrated on a development set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from audioseq.speech.decoding.greedy import BestPath
from audioseq.speech.decoding.weights import fill, stored_table
from audioseq.speech.transcript import Word

CONFIDENCE_KEY = "confidence"
"""Key in the decoder's table of a model card for the calibrations of both methods."""
MIN_PROBABILITY = 1e-4
"""Probabilities are clipped to between this and 1 minus this, so that their logits are finite."""

Method = Literal["beam", "greedy"]


@dataclass(frozen=True)
class Calibration:
    """Logistic regression from the logits of three probabilities to the probability that a word is correct.

    The posterior alone is overconfident: an n-best list has few alternatives, so a word that no hypothesis
    doubts has the posterior 1 even in noise or in another language. Source: Platt 1999, "Probabilistic
    outputs for support vector machines", with three inputs.

    Example:
        >>> calibration = Calibration(offset=-0.5, posterior=0.2, acoustic=0.4, segment=0.7)
        >>> calibration(word_logits([Word(0, 1, "so", 0.5)], [1.0], 0.5)).round(2).tolist()
        [0.79]
    """

    offset: float = 0.0
    posterior: float = 0.0
    """Weight of the posterior probability of the word in the n-best list."""
    acoustic: float = 0.0
    """Weight of the mean probability of the word's tokens in its frames."""
    segment: float = 0.0
    """Weight of the mean token probability on the best path of the segment."""

    def __call__(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each word from its logits `[N, 3]`."""
        offset, *weights = astuple(self)
        return np.asarray(1 / (1 + np.exp(-(offset + logits @ np.array(weights)))))


def stored_calibration(card: Mapping[str, Any], method: Method) -> Calibration | None:
    """Return the calibration in a model card; None if it has none for the method."""
    methods = stored_table(card).get(CONFIDENCE_KEY)
    found = methods.get(method) if isinstance(methods, Mapping) else None
    return fill(Calibration(), found) if isinstance(found, Mapping) else None


def word_logits(words: Sequence[Word], posteriors: Sequence[float], segment: float) -> NDArray[np.float64]:
    """Return the logits `[N, 3]` of the posterior, acoustic and segment probabilities of words.

    Args:
        words: with the mean probabilities of their tokens as confidences.
        posteriors: their posterior probabilities.
        segment: the mean token probability of the segment, see `mean_probability`.
    """
    pairs = zip(words, posteriors, strict=True)
    rows = [(posterior, word.confidence, segment) for word, posterior in pairs]
    clipped = np.clip(np.array(rows).reshape(-1, 3), MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    return np.asarray(np.log(clipped / (1 - clipped)))


def mean_probability(best_path: BestPath) -> float:
    """Return the mean probability of the tokens on the best path; 0 if it has none."""
    return float(np.exp(best_path.scores).mean()) if best_path.scores else 0.0


def set_confidences(
    words: Sequence[Word],
    posteriors: Sequence[float],
    best_path: BestPath,
    calibration: Calibration | None,
) -> list[Word]:
    """Return words with calibrated confidences; without a calibration, with their posteriors.

    Args:
        words: words of a segment, with the mean probabilities of their tokens as confidences.
        posteriors: their posterior probabilities; without an n-best list, the same probabilities.
        best_path: the best path of the segment.
        calibration: of the method that found the words.
    """
    if calibration is not None:
        logits = word_logits(words, posteriors, mean_probability(best_path))
        posteriors = calibration(logits).tolist()
    return [replace(word, confidence=value) for word, value in zip(words, posteriors, strict=True)]
