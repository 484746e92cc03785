"""Fit and evaluate the calibration of word confidences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from audioseq.speech.decoding.confidence import Calibration, Method, mean_probability, word_logits
from audioseq.speech.decoding.forced_alignment import align_words
from audioseq.speech.decoding.greedy import greedy
from audioseq.speech.decoding.nbest import Hypothesis, word_posteriors
from audioseq.speech.metrics import align_texts
from audioseq.speech.transcript import Word
from audioseq.text.tokenizer import Tokenizer

BINS = 10


class Evidence(NamedTuple):
    """Words with what their confidences are computed from."""

    logits: NDArray[np.float64]
    """See `word_logits`; `[N, 3]`."""
    correct: NDArray[np.float64]
    """1 for a correct word, 0 for a wrong one; `[N]`."""


class DecodedUtterance(NamedTuple):
    """An utterance with its emissions and n-best lists by chunk."""

    reference: str
    emissions: Sequence[np.ndarray]
    lists: Sequence[Sequence[Hypothesis]]

    @property
    def text(self) -> str:
        """The best text."""
        return " ".join(filter(None, (hypotheses[0].text for hypotheses in self.lists)))


def collect_evidence(
    utterances: Iterable[DecodedUtterance], tokenizer: Tokenizer, method: Method
) -> Evidence:
    """Return the evidence for the words of the best hypotheses, or of the best paths."""
    parts = []
    for utterance in utterances:
        words: list[Word] = []
        logits = [np.zeros((0, 3))]
        for log_probs, hypotheses in zip(utterance.emissions, utterance.lists, strict=True):
            path = greedy(log_probs)
            tokens = hypotheses[0].tokens if method == "beam" else path.tokens
            found = align_words(log_probs, tokens, tokenizer, frame_seconds=1.0)
            acoustic = [word.confidence for word in found]
            posteriors = word_posteriors(hypotheses) if method == "beam" else acoustic
            logits.append(word_logits(found, posteriors, mean_probability(path)))
            words += found
        parts.append(Evidence(np.concatenate(logits), _correct(utterance.reference, words)))
    return Evidence(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def fit_calibration(evidence: Evidence, *, posteriors: bool) -> Calibration:
    """Fit a calibration by maximum likelihood.

    Args:
        evidence: of at least one word.
        posteriors: whether the words come from n-best lists; otherwise their posteriors get no weight.
    """
    used = np.array([posteriors, True, True])
    logits = np.c_[np.ones(len(evidence.correct)), evidence.logits[:, used]]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = logits @ weights
        gradient = logits.T @ (1 / (1 + np.exp(-z)) - evidence.correct)
        # A small penalty keeps the weights finite if all words are correct.
        return float(
            (np.logaddexp(0, z) - evidence.correct * z).sum() + 0.5 * weights @ weights
        ), gradient + weights

    weights = np.zeros(4)
    weights[np.r_[True, used]] = minimize(loss, np.zeros(logits.shape[1]), jac=True).x
    return Calibration(*weights.round(4).tolist())


def calibration_error(confidences: NDArray[np.floating], correct: NDArray[np.floating]) -> float:
    """Compute the expected calibration error: the mean difference of confidence and accuracy.

    The words are grouped into ten bins of equal width by their confidences, and the differences of the bins
    are weighted by their numbers of words. Source: Guo et al. 2017, "On calibration of modern neural
    networks".

    Example:
        >>> calibration_error(np.array([0.95, 0.95, 0.05]), np.array([1.0, 0.0, 0.0])).__round__(3)
        0.317
    """
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    sums = np.bincount(bins, confidences - correct, BINS)
    return float(np.abs(sums).sum() / max(1, len(correct)))


def _correct(reference: str, words: Sequence[Word]) -> NDArray[np.float64]:
    """Return 1 for each word that agrees with the reference, else 0."""
    edits = align_texts(reference.split(), [word.word for word in words])
    return np.array([float(edit.mark == " ") for edit in edits if edit.hypothesis])
