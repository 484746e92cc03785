"""Hotword boosting: an automaton that finds phrases while hypotheses grow."""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audioseq.text.tokenizer import normalise

BOUNDARY = " "


def normalise_hotword(phrase: str, alphabet: str) -> str | None:
    """Return a phrase in the alphabet of a model, or None if it has other characters.

    Accents are removed, and hyphens separate words.

    Example:
        >>> [normalise_hotword(phrase, " abcé") for phrase in ("Bäc-Caé", "C++")]
        ['bac caé', None]
    """
    plain = "".join(" " if unicodedata.category(char) == "Pd" else char for char in phrase)
    normalised = normalise(plain, alphabet)
    return None if normalised.dropped or not normalised.text else normalised.text


class Hotwords:
    """Finds phrases in texts that grow token by token, for all hypotheses at once.

    A state is the longest suffix of the text that is a prefix of a phrase. While a phrase is incomplete, its
    state has a lookahead: the share of the boost for the letters so far. The lookahead is lost when the text
    leaves the phrase; the full boost is added when a word ends at the end of the phrase. Source: Aho and
    Corasick 1975, "Efficient string matching".

    Args:
        phrases: normalised words, or several words separated by single spaces.
        boost: natural logarithm, per letter of a phrase.
        pieces: the text of each token; a space starts a word.
    Example:
        >>> hotwords = Hotwords(["ab"], 1.0, ["", "a", "b"])
        >>> state = hotwords.after_token[hotwords.start, 1]
        >>> float(hotwords.lookahead[state]), float(hotwords.bonus[hotwords.after_token[state, 2]])
        (1.0, 2.0)
    """

    start: int
    """The state at the start of a text."""
    after_token: NDArray[np.int32]
    """The state after the letters of a token, without a leading space `[S, V]`."""
    after_word: NDArray[np.int32]
    """The state after the end of a word `[S]`."""
    bonus: NDArray[np.float64]
    """The boost that is added when a word ends in a state `[S]`."""
    lookahead: NDArray[np.float64]
    """The boost for the letters so far, if the phrase is completed `[S]`."""

    def __init__(self, phrases: Sequence[str], boost: float, pieces: Sequence[str]) -> None:
        letters = sorted({letter for piece in pieces for letter in piece.strip()} | {BOUNDARY})
        column = {letter: index for index, letter in enumerate(letters)}
        # A trie of the phrases, with a word boundary on both sides; -1 where no phrase continues.
        trie = [[-1] * len(letters)]
        lookahead, bonus = [0.0], [0.0]
        for phrase in sorted({f" {phrase} " for phrase in phrases if not set(phrase) - set(letters)} | {" "}):
            state, spelled = 0, 0
            for letter in phrase:
                spelled += letter != BOUNDARY
                if trie[state][column[letter]] < 0:
                    trie[state][column[letter]] = len(trie)
                    trie.append([-1] * len(letters))
                    lookahead.append(boost * spelled)
                    bonus.append(0.0)
                state = trie[state][column[letter]]
            if spelled:
                # The final boundary is also the one before the next word, so it has no lookahead.
                bonus[state], lookahead[state] = boost * spelled, 0.0
        transitions = _complete(trie, bonus, lookahead)
        self.start = int(transitions[0, column[BOUNDARY]])
        self.after_word = transitions[:, column[BOUNDARY]]
        self.bonus = np.array(bonus)[self.after_word]
        self.lookahead = np.array(lookahead)
        self.after_token = np.empty((len(transitions), len(pieces)), np.int32)
        for token, piece in enumerate(pieces):
            states = np.arange(len(transitions), dtype=np.int32)
            for letter in piece.strip():
                states = transitions[states, column[letter]]
            self.after_token[:, token] = states


def _complete(trie: list[list[int]], bonus: list[float], lookahead: list[float]) -> NDArray[np.int32]:
    """Return the transitions `[S, letters]` of the trie with those that leave a phrase.

    Breadth first, so that the fallback of a state (its longest proper suffix in the trie) is complete before
    the state. A missing transition is that of the fallback; a bonus adds the fallback's, because the phrases
    that end in a suffix end here too; a state without a lookahead takes the fallback's.
    """
    transitions = np.array(trie, dtype=np.int32)
    fallback = [0] * len(trie)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        suffix = transitions[fallback[state]] if state else np.zeros(transitions.shape[1], np.int32)
        bonus[state] += bonus[fallback[state]] if state else 0.0
        if not lookahead[state]:
            lookahead[state] = lookahead[fallback[state]]
        for letter, following in enumerate(trie[state]):
            if following < 0:
                transitions[state, letter] = suffix[letter]
            else:
                fallback[following] = int(suffix[letter])
                queue.append(following)
    return transitions
