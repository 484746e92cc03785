"""N-best lists: rescoring with a second language model, and word posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audioseq.speech.decoding.weights import DecodingWeights, RescoringWeights
from audioseq.speech.metrics import align_texts

HOTWORD_FACTOR = 5.0
"""Factor of the boosts of hotwords in rescoring: a recurrent model has more weight there than the n-gram
model in the search, and gives hotwords low probabilities. On the development set, with 118 hotwords among 100
others and a boost of 0.6, 56 % are recognised with a factor of 3, and 61 % with 5; the word error rate of
other utterances is 18.1 % without hotwords, 18.3 and 18.4 % with them."""

Scorer = Callable[[Sequence[str]], Sequence[float]]
"""Returns the natural log-probability of each text as a whole sentence."""


@dataclass(frozen=True)
class Hypothesis:
    """A candidate text of an utterance."""

    text: str
    tokens: tuple[int, ...]
    """The most probable token sequence of the text."""
    score: float
    """The total score, by which hypotheses are ordered: acoustic score, weighted LM score and bonuses."""
    acoustic_score: float
    """Natural log-probability of the text by CTC, summed over all its token sequences in the beam."""
    lm_score: float
    """Natural log-probability of the text by the language model, unweighted; 0 without one."""
    oov_letters: int
    """Letters in words that the language model does not know."""


def rescore(
    lists: Sequence[Sequence[Hypothesis]],
    scorer: Scorer,
    search_weights: DecodingWeights,
    weights: RescoringWeights,
) -> list[list[Hypothesis]]:
    """Sort n-best lists by scores that include a second language model.

    Args:
        lists: n-best lists of the beam search.
        scorer: the second language model; called once with the texts of all lists.
        search_weights: the weights that the scores of the hypotheses have.
        weights: the weights of the new scores; the boosts of hotwords are multiplied by `HOTWORD_FACTOR`.
    Example:
        >>> texts = [("oat", -1.0), ("boat", -1.2)]
        >>> hypotheses = [Hypothesis(text, (), score, score, 0.0, 0) for text, score in texts]
        >>> weights = DecodingWeights(), RescoringWeights(0.4, 1.5, -1.5, gamma=0.5)
        >>> (found,) = rescore([hypotheses], lambda texts: [-9.0, -5.0], *weights)
        >>> [each.text for each in found]
        ['boat', 'oat']
    """
    log_probs = iter(scorer([hypothesis.text for hypotheses in lists for hypothesis in hypotheses]))
    before = search_weights.alpha, search_weights.beta, search_weights.oov_penalty
    after = weights.alpha, weights.beta, weights.oov_penalty

    def new_score(each: Hypothesis) -> float:
        features = np.array([each.lm_score, len(each.text.split()), each.oov_letters])
        boosts = each.score - each.acoustic_score - features @ before
        score = each.acoustic_score + features @ after + weights.gamma * next(log_probs)
        return float(score + HOTWORD_FACTOR * boosts)

    rescored = [[replace(each, score=new_score(each)) for each in hypotheses] for hypotheses in lists]
    return [sorted(hypotheses, key=lambda each: -each.score) for hypotheses in rescored]


def word_posteriors(hypotheses: Sequence[Hypothesis]) -> list[float]:
    """Compute the posterior probability of each word of the best hypothesis in the n-best list.

    It is the sum of the posteriors of
    the hypotheses whose alignment with the best one has the same word in this place. Source: Wessel et al.
    2001, "Confidence measures for large vocabulary continuous speech recognition", with an n-best list
    instead of a lattice.

    Example:
        >>> texts = [("the cat", -1.0), ("a cat", -2.0), ("the cart", -3.0)]
        >>> hypotheses = [Hypothesis(text, (), score, score, 0.0, 0) for text, score in texts]
        >>> [round(confidence, 2) for confidence in word_posteriors(hypotheses)]
        [0.76, 0.91]
    """
    best = hypotheses[0].text.split()
    scores = np.array([hypothesis.score for hypothesis in hypotheses])
    posteriors = np.exp(scores - scores.max())
    posteriors /= posteriors.sum()
    total = np.zeros(len(best))
    for hypothesis, posterior in zip(hypotheses, posteriors, strict=True):
        edits = align_texts(best, hypothesis.text.split())
        total += posterior * np.array([edit.mark == " " for edit in edits if edit.reference])
    return [float(confidence) for confidence in np.minimum(total, 1.0)]
