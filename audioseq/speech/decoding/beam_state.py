"""The hypotheses of the beam search between two frames."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from audioseq.speech.decoding.lexicon import Floats, Hashes, Ints


@dataclass
class BeamState:
    """The hypotheses after a frame, one array `[N]` per field; each has a distinct (text, last token)."""

    text: Hashes
    """Hash of the whole text."""
    word: Hashes
    """Hash of the unfinished last word; 0 between words."""
    word_letters: Ints
    """Letters in the unfinished word."""
    last_token: Ints
    """Last token; 0 at the start."""
    blank_score: Floats
    """Log-probability of the paths that end in a blank."""
    token_score: Floats
    """Log-probability of the paths that end in the last token."""
    lm_score: Floats
    """Log-probability of the finished words by the language model."""
    bonus: Floats
    """Sum of word bonuses, OOV penalties and hotword boosts of the finished words."""
    oov_letters: Ints
    """Letters in finished words that the language model does not know."""
    lm_state: Ints
    """State of the language model after the finished words."""
    hotword_state: Ints
    """State of the hotwords after the whole text."""
    lookahead: Floats
    """Upper estimate of the score that the unfinished word adds."""
    entry: Ints
    """Lexicon entry of the unfinished word."""
    node: Ints
    """Index of the last token in the token history; -1 at the start."""

    def __getitem__(self, chosen: Ints) -> BeamState:
        """Return the chosen hypotheses."""
        return BeamState(*(getattr(self, name)[chosen] for name in _FIELDS))

    def __add__(self, other: BeamState) -> BeamState:
        """Return the hypotheses of both."""
        return BeamState(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in _FIELDS))

    @property
    def acoustic_score(self) -> Floats:
        """Log-probability of all paths."""
        return np.logaddexp(self.blank_score, self.token_score)


_FIELDS = [field.name for field in fields(BeamState)]
