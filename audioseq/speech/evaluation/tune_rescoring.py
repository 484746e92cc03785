"""Tune the weights of rescoring on stored n-best lists, by a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from rapidfuzz.distance import Levenshtein

from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.decoding.weights import DecodingWeights, RescoringWeights
from audioseq.speech.evaluation.calibrate import DecodedUtterance

ALPHAS = np.arange(0.0, 0.75, 0.1)
GAMMAS = np.arange(0.0, 1.25, 0.1)
BETA_CHANGES = np.arange(-2.0, 2.25, 0.5)
"""Differences to the word bonus of the search."""
OOV_PENALTY_CHANGES = np.arange(-3.0, 3.5, 1.0)
"""Differences to the OOV penalty of the search."""


def tune_rescoring(
    utterances: Sequence[DecodedUtterance], log_probs: Mapping[str, float], search_weights: DecodingWeights
) -> RescoringWeights:
    """Find the weights with the fewest word errors; nothing is decoded again.

    Args:
        utterances: lists of the beam search.
        log_probs: log-probability of each of their texts by the second language model.
        search_weights: the weights that the scores of the lists have.
    Returns:
        the best point of the grid; among equal ones, the one nearest to the weights of the search.
    """
    search = np.array([search_weights.alpha, search_weights.beta, search_weights.oov_penalty, 0.0])
    changes = np.array(list(product(ALPHAS - search[0], BETA_CHANGES, OOV_PENALTY_CHANGES, GAMMAS)))
    errors = np.zeros(len(changes), int)
    for utterance in utterances:
        reference = utterance.reference.split()
        choices = np.array([_best(hypotheses, log_probs, changes) for hypotheses in utterance.lists])
        # Few combinations of hypotheses are ever the best, so few texts are compared with the reference.
        combinations, point = np.unique(choices.T, axis=0, return_inverse=True)
        texts = [
            " ".join(each[i].text for each, i in zip(utterance.lists, indices, strict=True)).split()
            for indices in combinations
        ]
        errors += np.array([Levenshtein.distance(reference, text) for text in texts])[point.ravel()]
    distance = (changes[:, 1:3] ** 2).sum(axis=1)
    alpha, beta, oov_penalty, gamma = (search + changes[np.lexsort((distance, errors))[0]]).round(4).tolist()
    return RescoringWeights(alpha, beta, oov_penalty, gamma)


def _best(
    hypotheses: Sequence[Hypothesis], log_probs: Mapping[str, float], changes: np.ndarray
) -> np.ndarray:
    """Return the index of the best hypothesis at each point of the grid."""
    features = [
        (each.lm_score, len(each.text.split()), each.oov_letters, log_probs[each.text]) for each in hypotheses
    ]
    scores = np.array([each.score for each in hypotheses])[:, None] + np.array(features) @ changes.T
    best: np.ndarray = scores.argmax(axis=0)
    return best
