"""CTC prefix beam search with a language model of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audioseq.speech.decoding.beam_search import BeamLimits, BeamSearch, SearchTables
from audioseq.speech.decoding.hotwords import Hotwords
from audioseq.speech.decoding.lexicon import WordModel, WordScorer, hash_spellings
from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.decoding.weights import DecodingWeights

_DEFAULT_WEIGHTS, _DEFAULT_LIMITS = DecodingWeights(), BeamLimits()


class BeamDecoder:
    """Finds the most probable texts given the acoustic and the language model.

    The score of a text is its CTC log-probability, summed over all its token sequences (after the blank
    penalty), plus for each word alpha times the language model's log-probability, beta, and the boosts of
    hotwords. Hypotheses with the same text and last token have the same future, so they are merged. Source:
    Graves and Jaitly 2014, "Towards end-to-end speech recognition with recurrent neural networks"; Hannun et
    al. 2014, "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs".

    Args:
        pieces: the text of each token; a space starts a word, and the blank, token 0, is empty.
        model: the language model; without one, the score has the acoustic score and the hotwords only.
        weights: weights of the language model.
        limits: limits of the search.
        hotwords: expected words or phrases, normalised. Those of their words that the language model does not
            know share the probability of `<unk>` and get no OOV penalty.
        boost: natural logarithm, per letter of a hotword.
    Example:
        >>> decoder = BeamDecoder(["", "a", "b"])
        >>> log_probs = np.log([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])  # the best path, unlike the text, is empty
        >>> [(each.text, round(float(np.exp(each.acoustic_score)), 2)) for each in decoder(log_probs, 2)]
        [('a', 0.45), ('', 0.36)]
    """

    def __init__(
        self,
        pieces: Sequence[str],
        model: WordModel | None = None,
        *,
        weights: DecodingWeights = _DEFAULT_WEIGHTS,
        limits: BeamLimits = _DEFAULT_LIMITS,
        hotwords: Sequence[str] = (),
        boost: float = 0.6,
    ) -> None:
        self.model, self.weights = model, weights
        hashes, factors = hash_spellings([piece.strip() for piece in pieces])
        self._tables = SearchTables(
            list(pieces),
            model,
            None if model is None else WordScorer(model, hotwords),
            limits,
            Hotwords(hotwords, boost, pieces),
            starts_word=np.array([piece.startswith(" ") for piece in pieces]),
            hashes=hashes,
            factors=factors,
            letters=np.array([len(piece.strip()) for piece in pieces]),
        )

    def start(self) -> BeamSearch:
        """Return a search at its start, for emissions that arrive in blocks."""
        return BeamSearch(self._tables, self.weights)

    def __call__(self, log_probs: NDArray[np.floating], count: int = 1) -> list[Hypothesis]:
        """Decode log-probabilities `[T, V]` to at most `count` hypotheses, the best first.

        Raises:
            ValueError: a log-probability is NaN.
        """
        search = self.start()
        search.advance(log_probs)
        return search.finish(count)
