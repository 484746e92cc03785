"""Several texts that may be what was said: ordering them anew, and seeing where they agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from audioseq.speech.decoding.beam import Hypothesis
from audioseq.speech.metrics import align_texts

Scorer = Callable[[Sequence[str]], Sequence[float]]
"""Gives the natural log-probability of each text as a whole sentence."""


def rescore(candidates: Sequence[Hypothesis], scorer: Scorer, gamma: float) -> list[Hypothesis]:
    """Add a language model's log-probabilities, times gamma, to the scores, and order the candidates by them.

    Example:
        >>> texts = [("oat", -1.0), ("boat", -1.2)]
        >>> found = [Candidate(text, (), score, score, 0.0, 0) for text, score in texts]
        >>> [candidate.text for candidate in rescore(found, lambda texts: [-9.0, -5.0], gamma=0.5)]
        ['boat', 'oat']
    """
    log_probs = scorer([candidate.text for candidate in candidates])
    rescored = [
        replace(candidate, score=candidate.score + gamma * log_prob)
        for candidate, log_prob in zip(candidates, log_probs, strict=True)
    ]
    return sorted(rescored, key=lambda candidate: -candidate.score)


def confidences(candidates: Sequence[Hypothesis]) -> list[float]:
    """Tell how sure each word of the best candidate is, 0 to 1: the share of the candidates that have it.

    Each candidate counts by its score, as if these were all the texts there are; it has a word if the word is
    in its place when the two texts are aligned. Source: Wessel et al. 2001, "Confidence measures for large
    vocabulary continuous speech recognition", with a list for the lattice.

    Example:
        >>> texts = [("the cat", -1.0), ("a cat", -2.0), ("the cart", -3.0)]
        >>> found = [Candidate(text, (), score, score, 0.0, 0) for text, score in texts]
        >>> [round(confidence, 2) for confidence in confidences(found)]
        [0.76, 0.91]
    """
    best = candidates[0].text.split()
    scores = np.array([candidate.score for candidate in candidates])
    shares = np.exp(scores - scores.max())
    shares /= shares.sum()
    total = np.zeros(len(best))
    for candidate, share in zip(candidates, shares, strict=True):
        edits = align_texts(best, candidate.text.split())
        total += share * np.array([edit.mark == " " for edit in edits if edit.reference])
    return [float(share) for share in np.minimum(total, 1.0)]
