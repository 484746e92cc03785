"""The state of a CTC prefix beam search, advanced by blocks of frames."""

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
    Hashes,
    Ints,
    WordModel,
    WordScorer,
    append,
    append_space,
    find_runs,
)
from audioseq.speech.decoding.nbest import Hypothesis
from audioseq.speech.decoding.weights import DecodingWeights
from audioseq.text.tokenizer import BLANK


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


@dataclass(frozen=True)
class SearchTables:
    """What all searches of a decoder share."""

    pieces: list[str]
    """Text of each token `[V]`."""
    model: WordModel | None
    scorer: WordScorer | None
    """Scores of words and of prefixes by the model."""
    limits: BeamLimits
    hotwords: Hotwords
    starts_word: NDArray[np.bool_]
    """Whether each token starts a word `[V]`."""
    hashes: Hashes
    """Hashes of the letters of each token `[V]`."""
    factors: Hashes
    """Factors by which the letters of each token move the hash before them `[V]`."""
    letters: Ints
    """Number of letters of each token `[V]`."""


class BeamSearch:
    """A search in progress; blocks of frames of any length give the same result.

    Args:
        tables: tables of the decoder.
        weights: weights of the language model.
    Example:
        >>> from audioseq.speech.decoding.beam import BeamDecoder
        >>> search = BeamDecoder(["", "a", "b"]).start()
        >>> for frame in np.log([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]):
        ...     search.advance(frame[None])
        >>> search.finish()[0].text
        'ab'
    """

    def __init__(self, tables: SearchTables, weights: DecodingWeights) -> None:
        self._tables, self._weights = tables, weights
        # The token history of all hypotheses, as a tree: the token of each node, and its parent node.
        self._parents: list[int] = []
        self._tokens: list[int] = []
        self._beam = self._start()

    def advance(self, log_probs: NDArray[np.floating]) -> None:
        """Advance by frames of log-probabilities `[T, V]`.

        Raises:
            ValueError: a log-probability is NaN.
        """
        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN values")
        log_probs = _penalise_blank(log_probs.astype(np.float64), self._weights.blank_penalty)
        beam, limits = self._beam, self._tables.limits
        size = min(limits.beam_size_token, log_probs.shape[1] - 1)
        best = np.argpartition(-log_probs[:, 1:], size - 1, axis=1)[:, :size] + 1
        skipped = log_probs[:, BLANK] > np.log(limits.blank_skip_threshold)
        for frame, tokens, skip in zip(log_probs, best, skipped, strict=True):
            if skip:
                beam.blank_score = beam.acoustic_score + frame[BLANK]
                beam.token_score = np.full_like(beam.blank_score, -np.inf)
            else:
                beam = self._step(beam, frame, tokens)
        self._beam = beam

    def best_text(self) -> str:
        """Return the text of the best hypothesis so far, which may end inside a word."""
        beam = self._beam
        best = int((beam.acoustic_score + self._prior(beam) + beam.lookahead).argmax())
        return self._text(self._trace(int(beam.node[best])))

    def finish(self, count: int = 1) -> list[Hypothesis]:
        """Return at most `count` hypotheses, the best first, with their last words and the sentence ended."""
        beam = self._beam
        ended = self._end_words(beam)
        if self._tables.model is not None:
            ends = np.full(len(beam.text), Vocabulary.eos)
            ended.lm_score = ended.lm_score + self._tables.model.step(ended.lm_state, ends)[0]
        acoustic = ended.acoustic_score
        order = np.lexsort((-acoustic, ended.text))
        starts = find_runs(ended.text[order])
        total = np.logaddexp.reduceat(acoustic[order], starts)
        score = total + self._prior(ended)[order[starts]]
        hypotheses = []
        for index in np.argsort(-score, kind="stable")[:count].tolist():
            row = order[starts[index]]
            tokens = self._trace(int(ended.node[row]))
            text = self._text(tokens)
            scores = float(score[index]), float(total[index]), float(ended.lm_score[row])
            hypotheses.append(Hypothesis(text, tokens, *scores, oov_letters=int(ended.oov_letters[row])))
        return hypotheses

    def _start(self) -> BeamState:
        hash_, integer, score = np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1)
        return BeamState(
            text=hash_, word=hash_, word_letters=integer, last_token=integer,
            blank_score=score, token_score=np.array([-np.inf]), lm_score=score, bonus=score,
            oov_letters=integer, lm_state=np.array([self._tables.model.start if self._tables.model else 0]),
            hotword_state=integer + self._tables.hotwords.start, lookahead=score, entry=integer - 1,
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
        floor = (beam.acoustic_score + prior + beam.lookahead).max() - self._tables.limits.beam_threshold

        # Then those with one more token. For a token to follow itself, a blank must separate the two.
        repeated = beam.last_token[:, None] == tokens
        grown = np.where(repeated, blank_before[:, None], all_before[:, None]) + frame[tokens]
        # An upper bound of the score drops most of them before their language model scores are computed.
        prior_ahead = (prior + beam.lookahead)[:, None]
        bound = grown + np.where(self._tables.starts_word[tokens], prior_ended[:, None], prior_ahead)
        rows, columns = np.nonzero((bound >= floor) & (bound > -np.inf))
        longer = self._append_tokens(beam, ended, rows, tokens[columns], grown[rows, columns])
        return self._prune(beam, longer)

    def _prior(self, beam: BeamState) -> Floats:
        """Return the part of the score that finished words add to the acoustic score."""
        return self._weights.alpha * beam.lm_score + beam.bonus

    def _end_words(self, beam: BeamState) -> BeamState:
        """Return the hypotheses with their unfinished words ended and scored."""
        hotwords = self._tables.hotwords
        unfinished, state = beam.word_letters > 0, beam.hotword_state
        result = replace(beam)
        result.bonus = beam.bonus + np.where(unfinished, hotwords.bonus[state], 0.0)
        result.hotword_state = np.where(unfinished, hotwords.after_word[state], state)
        if self._tables.scorer is not None:
            log_probs, states, oov = self._tables.scorer.score_words(beam.lm_state, beam.entry)
            oov_letters = np.where(unfinished & oov, beam.word_letters, 0)
            result.lm_score = beam.lm_score + np.where(unfinished, log_probs, 0.0)
            result.lm_state = np.where(unfinished, states, beam.lm_state)
            result.oov_letters = beam.oov_letters + oov_letters
            beta, penalty = self._weights.beta, self._weights.oov_penalty
            result.bonus += np.where(unfinished, beta, 0.0) + penalty * oov_letters
        return result

    def _append_tokens(
        self, beam: BeamState, ended: BeamState, rows: Ints, tokens: Ints, token_score: Floats
    ) -> BeamState:
        """Return the hypotheses `rows` of a beam, each with one more token."""
        # A token that starts a word, and the first letters after a space, follow the ended hypothesis.
        starts = self._tables.starts_word[tokens] | (beam.word_letters[rows] == 0)
        tables = self._tables
        letters, hashes, factors = tables.letters[tokens], tables.hashes[tokens], tables.factors[tokens]
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
            hotword_state=self._tables.hotwords.after_token[source.hotword_state, tokens].astype(np.int64),
        )
        result.lookahead = self._tables.hotwords.lookahead[result.hotword_state]
        if self._tables.scorer is not None:
            # The best word with this prefix, or an OOV word that has only these letters.
            result.entry = self._tables.scorer.lexicon.find(result.word)
            best = self._weights.alpha * self._tables.scorer.lexicon.best[result.entry] + self._weights.beta
            best += np.where(result.entry < 0, self._weights.oov_penalty * result.word_letters, 0.0)
            result.lookahead += np.where(result.word_letters > 0, best, 0.0)
        return result

    def _prune(self, beam: BeamState, longer: BeamState) -> BeamState:
        """Merge equal hypotheses of both beams, and keep the best ones."""
        both = beam + longer
        acoustic = both.acoustic_score
        # Sort so that equal hypotheses are adjacent, the most probable first: its token history is kept.
        keys = both.text * np.uint64(2 * len(self._tables.pieces) + 1) + both.last_token.astype(np.uint64)
        order = np.lexsort((-acoustic, keys))
        starts = find_runs(keys[order])
        first = order[starts]
        blank_score = np.logaddexp.reduceat(both.blank_score[order], starts)
        token_score = np.logaddexp.reduceat(both.token_score[order], starts)
        score = np.logaddexp(blank_score, token_score) + (self._prior(both) + both.lookahead)[first]
        size = self._tables.limits.beam_size
        kept = np.flatnonzero(score >= score.max() - self._tables.limits.beam_threshold)
        if len(kept) > size:
            kept = kept[np.argpartition(-score[kept], size - 1)[:size]]
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

    def _text(self, tokens: Sequence[int]) -> str:
        return " ".join("".join(self._tables.pieces[token] for token in tokens).split())

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
