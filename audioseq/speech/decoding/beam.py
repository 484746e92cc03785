"""CTC prefix beam search with a language model of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import Vocabulary
from audioseq.speech.decoding.beam_state import BeamState
from audioseq.speech.decoding.hotwords import Hotwords
from audioseq.speech.decoding.lexicon import (
    Floats,
    Ints,
    WordModel,
    WordScorer,
    append,
    append_space,
    find_runs,
    hash_spellings,
)
from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.decoding.weights import DecodingWeights
from audioseq.text.tokenizer import BLANK

_DEFAULT_WEIGHTS = DecodingWeights()


@dataclass(frozen=True)
class BeamLimits:
    """Limits that make the search fast; it is exact without them."""

    beam_size: int = 100
    """Hypotheses that are kept after each frame."""
    beam_size_token: int = 20
    """Tokens that are tried in each frame: the most probable ones."""
    beam_threshold: float = 12.0
    """Hypotheses whose score is lower than the best by more than this are dropped (natural logarithm)."""
    blank_skip_threshold: float = 0.99
    """In a frame whose blank has at least this probability, no other token is tried."""


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
        limits: BeamLimits = BeamLimits(),
        hotwords: Sequence[str] = (),
        boost: float = 0.4,
    ) -> None:
        self.pieces, self.model, self.weights, self.limits = list(pieces), model, weights, limits
        self._hotwords = Hotwords(hotwords, boost, pieces)
        self._scorer = None if model is None else WordScorer(model, hotwords)
        self._starts_word = np.array([piece.startswith(" ") for piece in pieces])
        self._hashes, self._factors = hash_spellings([piece.strip() for piece in pieces])
        self._letters = np.array([len(piece.strip()) for piece in pieces])
        # The token history of all hypotheses, as a tree: the token of each node, and its parent node.
        self._parents: list[int] = []
        self._tokens: list[int] = []

    def __call__(self, log_probs: NDArray[np.floating], count: int = 1) -> list[Hypothesis]:
        """Decode log-probabilities `[T, V]` to at most `count` hypotheses, the best first.

        Raises:
            ValueError: a log-probability is NaN.
        """
        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN values")
        self._parents, self._tokens = [], []
        log_probs = _penalise_blank(log_probs.astype(np.float64), self.weights.blank_penalty)
        beam = self._start()
        size = min(self.limits.beam_size_token, log_probs.shape[1] - 1)
        best = np.argpartition(-log_probs[:, 1:], size - 1, axis=1)[:, :size] + 1
        skipped = log_probs[:, BLANK] > np.log(self.limits.blank_skip_threshold)
        for frame, tokens, skip in zip(log_probs, best, skipped, strict=True):
            if skip:
                beam.blank_score = beam.acoustic_score + frame[BLANK]
                beam.token_score = np.full_like(beam.blank_score, -np.inf)
            else:
                beam = self._step(beam, frame, tokens)
        return self._finish(beam, count)

    def _start(self) -> BeamState:
        hash_, integer, score = np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1)
        return BeamState(
            text=hash_, word=hash_, word_letters=integer, last_token=integer,
            blank_score=score, token_score=np.array([-np.inf]), lm_score=score, bonus=score,
            oov_letters=integer, lm_state=np.array([self.model.start if self.model else 0]),
            hotword_state=integer + self._hotwords.start, lookahead=score, entry=integer - 1,
            node=integer - 1,
        )  # fmt: skip

    def _step(self, beam: BeamState, frame: Floats, tokens: Ints) -> BeamState:
        """Advance by a frame of log-probabilities `[V]`, trying the blank and the given tokens."""
        all_before, blank_before = beam.acoustic_score, beam.blank_score
        ended = self._end_words(beam)
        prior, prior_ended = self._prior(beam), self._prior(ended)
        # First the hypotheses whose text stays the same: by a blank, or by repeating the last token.
        beam.blank_score = all_before + frame[BLANK]
        beam.token_score = beam.token_score + frame[beam.last_token]
        floor = (beam.acoustic_score + prior + beam.lookahead).max() - self.limits.beam_threshold

        # Then those with one more token. For a token to follow itself, a blank must separate the two.
        repeated = beam.last_token[:, None] == tokens
        grown = np.where(repeated, blank_before[:, None], all_before[:, None]) + frame[tokens]
        # An upper bound of the score drops most of them before their language model scores are computed.
        prior_ahead = (prior + beam.lookahead)[:, None]
        bound = grown + np.where(self._starts_word[tokens], prior_ended[:, None], prior_ahead)
        rows, columns = np.nonzero((bound >= floor) & (bound > -np.inf))
        longer = self._append_tokens(beam, ended, rows, tokens[columns], grown[rows, columns])
        return self._prune(beam, longer)

    def _prior(self, beam: BeamState) -> Floats:
        """Return the part of the score that finished words add to the acoustic score."""
        return self.weights.alpha * beam.lm_score + beam.bonus

    def _end_words(self, beam: BeamState) -> BeamState:
        """Return the hypotheses with their unfinished words ended and scored."""
        hotwords = self._hotwords
        unfinished, state = beam.word_letters > 0, beam.hotword_state
        result = replace(beam)
        result.bonus = beam.bonus + np.where(unfinished, hotwords.bonus[state], 0.0)
        result.hotword_state = np.where(unfinished, hotwords.after_word[state], state)
        if self._scorer is not None:
            log_probs, states, oov = self._scorer.score_words(beam.lm_state, beam.entry)
            oov_letters = np.where(unfinished & oov, beam.word_letters, 0)
            result.lm_score = beam.lm_score + np.where(unfinished, log_probs, 0.0)
            result.lm_state = np.where(unfinished, states, beam.lm_state)
            result.oov_letters = beam.oov_letters + oov_letters
            beta, penalty = self.weights.beta, self.weights.oov_penalty
            result.bonus += np.where(unfinished, beta, 0.0) + penalty * oov_letters
        return result

    def _append_tokens(
        self, beam: BeamState, ended: BeamState, rows: Ints, tokens: Ints, token_score: Floats
    ) -> BeamState:
        """Return the hypotheses `rows` of a beam, each with one more token."""
        # A token that starts a word, and the first letters after a space, follow the ended hypothesis.
        starts = self._starts_word[tokens] | (beam.word_letters[rows] == 0)
        letters, hashes, factors = self._letters[tokens], self._hashes[tokens], self._factors[tokens]
        source = (beam + ended)[rows + len(beam.text) * starts]
        text = np.where(starts & (letters > 0), append_space(source.text), source.text)
        result = replace(
            source,
            text=append(text, hashes, factors),
            word=append(np.where(starts, np.uint64(0), source.word), hashes, factors),
            word_letters=np.where(starts, 0, source.word_letters) + letters,
            last_token=tokens,
            blank_score=np.full(len(rows), -np.inf),
            token_score=token_score,
            hotword_state=self._hotwords.after_token[source.hotword_state, tokens].astype(np.int64),
        )
        result.lookahead = self._hotwords.lookahead[result.hotword_state]
        if self._scorer is not None:
            # The best word with this prefix, or an OOV word that has only these letters.
            result.entry = self._scorer.lexicon.find(result.word)
            best = self.weights.alpha * self._scorer.lexicon.best[result.entry] + self.weights.beta
            best += np.where(result.entry < 0, self.weights.oov_penalty * result.word_letters, 0.0)
            result.lookahead += np.where(result.word_letters > 0, best, 0.0)
        return result

    def _prune(self, beam: BeamState, longer: BeamState) -> BeamState:
        """Merge equal hypotheses of both beams, and keep the best ones."""
        both = beam + longer
        acoustic = both.acoustic_score
        # Sort so that equal hypotheses are adjacent, the most probable first: its token history is kept.
        keys = both.text * np.uint64(2 * len(self.pieces) + 1) + both.last_token.astype(np.uint64)
        order = np.lexsort((-acoustic, keys))
        starts = find_runs(keys[order])
        first = order[starts]
        blank_score = np.logaddexp.reduceat(both.blank_score[order], starts)
        token_score = np.logaddexp.reduceat(both.token_score[order], starts)
        score = np.logaddexp(blank_score, token_score) + (self._prior(both) + both.lookahead)[first]
        kept = np.flatnonzero(score >= score.max() - self.limits.beam_threshold)
        if len(kept) > self.limits.beam_size:
            kept = kept[np.argpartition(-score[kept], self.limits.beam_size - 1)[: self.limits.beam_size]]
        chosen = first[kept]
        result = both[chosen]
        result.blank_score, result.token_score = blank_score[kept], token_score[kept]
        # Only hypotheses that survive get a node in the token history.
        new = chosen >= len(beam.text)
        nodes = len(self._parents) + np.arange(np.count_nonzero(new))
        self._parents += result.node[new].tolist()
        self._tokens += result.last_token[new].tolist()
        result.node[new] = nodes
        return result

    def _finish(self, beam: BeamState, count: int) -> list[Hypothesis]:
        """Return the best texts, after the ends of their last words and of the sentence."""
        ended = self._end_words(beam)
        if self.model is not None:
            ends = np.full(len(beam.text), Vocabulary.eos)
            ended.lm_score = ended.lm_score + self.model.step(ended.lm_state, ends)[0]
        acoustic = ended.acoustic_score
        order = np.lexsort((-acoustic, ended.text))
        starts = find_runs(ended.text[order])
        total = np.logaddexp.reduceat(acoustic[order], starts)
        score = total + self._prior(ended)[order[starts]]
        hypotheses = []
        for index in np.argsort(-score, kind="stable")[:count].tolist():
            row = order[starts[index]]
            tokens = self._trace(int(ended.node[row]))
            text = " ".join("".join(self.pieces[token] for token in tokens).split())
            scores = float(score[index]), float(total[index]), float(ended.lm_score[row])
            hypotheses.append(Hypothesis(text, tokens, *scores, oov_letters=int(ended.oov_letters[row])))
        return hypotheses

    def _trace(self, node: int) -> tuple[int, ...]:
        """Return the tokens from the start to a node of the token history."""
        tokens = []
        while node >= 0:
            tokens.append(self._tokens[node])
            node = self._parents[node]
        return tuple(reversed(tokens))


def _penalise_blank(log_probs: Floats, penalty: float) -> Floats:
    """Subtract a penalty from the blank of log-probabilities `[T, V]`, and normalise each frame."""
    if not penalty:
        return log_probs
    changed = log_probs - np.where(np.arange(log_probs.shape[1]) == BLANK, penalty, 0.0)
    return changed - np.logaddexp.reduce(changed, axis=1, keepdims=True)
