"""CTC prefix beam search with a language model of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from audioseq.language.vocabulary import Vocabulary
from audioseq.speech.decoding.hotwords import Hotwords
from audioseq.speech.decoding.lexicon import Hashes, WordModel, extend, lexicon_of, space, spell
from audioseq.text.tokenizer import BLANK

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class DecodingWeights:
    """How much a language model has to say beside the acoustic model; `audioseq tune` finds the values."""

    alpha: float = 0.4
    """Factor of the log-probabilities of words."""
    beta: float = 1.5
    """Added for each word: against texts of few words."""
    unknown: float = -1.5
    """Added for each letter of a word that the model does not know, besides what it gives to such words."""
    blank: float = 0.0
    """Taken off the log-probability of the blank in each frame: networks are too sure of saying nothing."""


@dataclass(frozen=True)
class BeamLimits:
    """What the search leaves out to be fast; it is exact without these limits."""

    beam_size: int = 100
    """Hypotheses that are kept at each frame."""
    tokens: int = 20
    """Tokens that are tried at each frame, the most probable ones."""
    beam_threshold: float = 12.0
    """How much worse than the best hypothesis one may be, natural logarithm."""
    blank_skip_threshold: float = 0.99
    """A frame that is blank with at least this probability is taken to be nothing else."""


@dataclass(frozen=True)
class Hypothesis:
    """A text that may be what was said."""

    text: str
    tokens: tuple[int, ...]
    """Its most probable spelling."""
    score: float
    """What the candidates are ordered by: the acoustic log-probability and all that is added to it."""
    acoustic: float
    """Log-probability of the text by CTC, natural, over all its spellings that were kept."""
    language: float
    """Log-probability of the text by the language model, natural, unweighted; 0 without one."""
    unknown: int
    """Letters in words that the language model does not know."""


@dataclass
class _Beam:
    """The hypotheses of a frame, column by column `[N]`; no two have text and last token in common."""

    text: Hashes
    """Spelling of the whole text."""
    word: Hashes
    """Spelling of the last word, while it may go on; 0 between words."""
    letters: Ints
    """In that word."""
    last: Ints
    """Token; 0 before the first one."""
    blank: Floats
    """Log-probability of the paths that end in a blank, and of those that end in the last token."""
    spoken: Floats
    language: Floats
    """Log-probability of the finished words by the language model."""
    added: Floats
    """What weights and hotwords add to finished words."""
    unknown: Ints
    """Letters in finished words that the language model does not know."""
    state: Ints
    """Of the language model after the finished words, and of the hotwords after the whole text."""
    hot: Ints
    ahead: Floats
    """What the open word promises."""
    entry: Ints
    """Of the open word in the lexicon."""
    record: Ints
    """Where its spelling was written down."""

    def __getitem__(self, chosen: Ints) -> _Beam:
        return _Beam(*(getattr(self, name)[chosen] for name in _COLUMNS))

    def __add__(self, other: _Beam) -> _Beam:
        return _Beam(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in _COLUMNS))


_COLUMNS = [field.name for field in fields(_Beam)]


class BeamDecoder:
    """Finds the texts that acoustic and language model together hold for the most probable.

    The score of a text is its probability by CTC, summed over all its spellings in tokens (with blanks made
    less probable by weights.blank), and for each of its words alpha times the language model's
    log-probability, plus beta; hotwords in it add their boosts.
    Hypotheses with the same text and the same last token have the same future: they are one. Source: Graves
    and Jaitly 2014, "Towards end-to-end speech recognition with recurrent neural networks"; Hannun et al.
    2014, "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs".

    Args:
        pieces: text of each token; a space begins a word, and that of the blank, token 0, is empty.
        model: the language model; without one, only hotwords count beside the sound.
        weights: of the language model.
        limits: of the search.
        hotwords: words or phrases that are expected, normalised. Those of their words that the language model
            does not know share the probability that it gives to unknown words, and need no penalty.
        boost: of each letter of a hotword.
    Example:
        >>> decoder = BeamDecoder(["", "a", "b"])
        >>> log_probs = np.log([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])  # the best path, not text, is silent
        >>> [(found.text, round(float(np.exp(found.acoustic)), 2)) for found in decoder(log_probs, count=2)]
        [('a', 0.45), ('', 0.36)]
    """

    def __init__(
        self,
        pieces: Sequence[str],
        model: WordModel | None = None,
        *,
        weights: DecodingWeights = DecodingWeights(),
        limits: BeamLimits = BeamLimits(),
        hotwords: Sequence[str] = (),
        boost: float = 0.4,
    ) -> None:
        self.pieces, self.model, self.weights, self.limits = list(pieces), model, weights, limits
        self._hotwords = Hotwords(hotwords, boost, pieces)
        self._begins = np.array([piece.startswith(" ") for piece in pieces])
        self._spelt, self._powers = spell([piece.strip() for piece in pieces])
        self._letters = np.array([len(piece.strip()) for piece in pieces])
        if model is not None:
            self._lexicon, self._shared = lexicon_of(model, hotwords)
        self._parents: list[int] = []
        self._tokens: list[int] = []

    def __call__(self, log_probs: NDArray[np.floating], count: int = 1) -> list[Hypothesis]:
        """Decode log-probabilities `[T, V]` to at most `count` candidates, the best first.

        Raises:
            ValueError: a log-probability is NaN.
        """
        if np.isnan(log_probs).any():
            raise ValueError("log_probs has NaN values")
        self._parents, self._tokens = [], []
        log_probs = _less_blank(log_probs.astype(np.float64), self.weights.blank)
        beam = self._first()
        most = min(self.limits.tokens, log_probs.shape[1] - 1)
        best = np.argpartition(-log_probs[:, 1:], most - 1, axis=1)[:, :most] + 1
        certain = log_probs[:, BLANK] > np.log(self.limits.blank_skip_threshold)
        for frame, tokens, silent in zip(log_probs, best, certain, strict=True):
            if silent:
                beam.blank = np.logaddexp(beam.blank, beam.spoken) + frame[BLANK]
                beam.spoken = np.full_like(beam.blank, -np.inf)
            else:
                beam = self._step(beam, frame, tokens)
        return self._finish(beam, count)

    def _first(self) -> _Beam:
        none, zero, nothing = np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1)
        state = np.array([self.model.start if self.model else 0])
        return _Beam(
            text=none, word=none, letters=zero, last=zero, blank=nothing, spoken=np.array([-np.inf]),
            language=nothing, added=nothing, unknown=zero, state=state, hot=zero + self._hotwords.start,
            ahead=nothing, entry=zero - 1, record=zero - 1,
        )  # fmt: skip

    def _step(self, beam: _Beam, frame: Floats, tokens: Ints) -> _Beam:
        """Go on by a frame of log-probabilities `[V]`, of which only the given tokens and the blank count."""
        paths = np.logaddexp(beam.blank, beam.spoken)
        ended = self._ended(beam)
        prior, prior_ended = self._prior(beam), self._prior(ended)
        beam.blank, spoken_before, blank_before = paths + frame[BLANK], beam.spoken, beam.blank
        beam.spoken = spoken_before + frame[beam.last]
        floor = (
            np.logaddexp(beam.blank, beam.spoken) + prior + beam.ahead
        ).max() - self.limits.beam_threshold

        # Only a blank lets a token follow itself as a new one.
        grown = np.where(beam.last[:, None] == tokens, blank_before[:, None], paths[:, None]) + frame[tokens]
        bound = grown + np.where(self._begins[tokens], prior_ended[:, None], (prior + beam.ahead)[:, None])
        rows, columns = np.nonzero((bound >= floor) & (bound > -np.inf))
        longer = self._extend(beam, ended, rows, tokens[columns], grown[rows, columns])
        return self._prune(beam, longer)

    def _prior(self, beam: _Beam) -> Floats:
        return self.weights.alpha * beam.language + beam.added

    def _ended(self, beam: _Beam) -> _Beam:
        """Return the hypotheses with their open words ended."""
        hot = self._hotwords
        is_open = beam.letters > 0
        result = replace(beam)
        result.added = beam.added + np.where(is_open, hot.won[beam.hot], 0.0)
        result.hot = np.where(is_open, hot.ended[beam.hot], beam.hot)
        if self.model is not None:
            ids = self._lexicon.ids[beam.entry]
            log_probs, states = self.model.step(beam.state, np.maximum(ids, Vocabulary.unk))
            log_probs = log_probs - np.where(ids == Vocabulary.unk, self._shared, 0.0)
            spelt = np.where(is_open & (ids < 0), beam.letters, 0)
            result.language = beam.language + np.where(is_open, log_probs, 0.0)
            result.state = np.where(is_open, states, beam.state)
            result.unknown = beam.unknown + spelt
            result.added += np.where(is_open, self.weights.beta, 0.0) + self.weights.unknown * spelt
        return result

    def _extend(self, beam: _Beam, ended: _Beam, rows: Ints, tokens: Ints, spoken: Floats) -> _Beam:
        """Return the hypotheses of `rows` with a token more each."""
        begins = self._begins[tokens] | (beam.letters[rows] == 0)
        letters, spelt, powers = self._letters[tokens], self._spelt[tokens], self._powers[tokens]
        source = (beam + ended)[rows + len(beam.text) * begins]
        text = np.where(begins & (letters > 0), space(source.text), source.text)
        result = _Beam(
            text=extend(text, spelt, powers),
            word=extend(np.where(begins, np.uint64(0), source.word), spelt, powers),
            letters=np.where(begins, 0, source.letters) + letters,
            last=tokens,
            blank=np.full(len(rows), -np.inf),
            spoken=spoken,
            language=source.language,
            added=source.added,
            unknown=source.unknown,
            state=source.state,
            hot=self._hotwords.spelt[source.hot, tokens].astype(np.int64),
            ahead=np.zeros(len(rows)),
            entry=source.entry,
            record=source.record,
        )
        result.ahead = self._hotwords.hope[result.hot]
        if self.model is not None:
            result.entry = self._lexicon.find(result.word)
            promised = self.weights.alpha * self._lexicon.best[result.entry] + self.weights.beta
            promised += np.where(result.entry < 0, self.weights.unknown * result.letters, 0.0)
            result.ahead += np.where(result.letters > 0, promised, 0.0)
        return result

    def _prune(self, beam: _Beam, longer: _Beam) -> _Beam:
        """Join what has become the same, and return the best hypotheses of both kinds."""
        both = beam + longer
        sound = np.logaddexp(both.blank, both.spoken)
        # Those with one key stand side by side, the most probable first: it lends its spelling.
        keys = both.text * np.uint64(2 * len(self.pieces) + 1) + both.last.astype(np.uint64)
        order = np.lexsort((-sound, keys))
        starts = _starts(keys[order])
        first = order[starts]
        blank, spoken = (np.logaddexp.reduceat(part[order], starts) for part in (both.blank, both.spoken))
        score = np.logaddexp(blank, spoken) + (self._prior(both) + both.ahead)[first]
        kept = np.flatnonzero(score >= score.max() - self.limits.beam_threshold)
        if len(kept) > self.limits.beam_size:
            kept = kept[np.argpartition(-score[kept], self.limits.beam_size - 1)[: self.limits.beam_size]]
        chosen = first[kept]
        result = both[chosen]
        result.blank, result.spoken = blank[kept], spoken[kept]
        new = chosen >= len(beam.text)
        records = len(self._parents) + np.arange(np.count_nonzero(new))
        self._parents += result.record[new].tolist()
        self._tokens += result.last[new].tolist()
        result.record[new] = records
        return result

    def _finish(self, beam: _Beam, count: int) -> list[Hypothesis]:
        """Return the best texts, each with its last word and its sentence at an end."""
        ended = self._ended(beam)
        if self.model is not None:
            ends = np.full(len(beam.text), Vocabulary.eos)
            ended.language = ended.language + self.model.step(ended.state, ends)[0]
        sound = np.logaddexp(ended.blank, ended.spoken)
        order = np.lexsort((-sound, ended.text))
        starts = _starts(ended.text[order])
        acoustic = np.logaddexp.reduceat(sound[order], starts)
        score = acoustic + self._prior(ended)[order[starts]]
        found = []
        for place in np.argsort(-score, kind="stable")[:count].tolist():
            row = order[starts[place]]
            tokens = self._spelling(int(ended.record[row]))
            found.append(
                Hypothesis(
                    text=" ".join("".join(self.pieces[token] for token in tokens).split()),
                    tokens=tokens,
                    score=float(score[place]),
                    acoustic=float(acoustic[place]),
                    language=float(ended.language[row]),
                    unknown=int(ended.unknown[row]),
                )
            )
        return found

    def _spelling(self, record: int) -> tuple[int, ...]:
        tokens = []
        while record >= 0:
            tokens.append(self._tokens[record])
            record = self._parents[record]
        return tuple(reversed(tokens))


def _less_blank(log_probs: Floats, penalty: float) -> Floats:
    """Make the blank of log-probabilities `[T, V]` less probable; those of each frame sum to 1 as before."""
    if not penalty:
        return log_probs
    changed = log_probs - np.where(np.arange(log_probs.shape[1]) == BLANK, penalty, 0.0)
    return changed - np.logaddexp.reduce(changed, axis=1, keepdims=True)


def _starts(values: Hashes) -> Ints:
    """Return where a row of values changes, its beginning included."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))
