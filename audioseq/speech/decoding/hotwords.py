"""Words that a user expects: an automaton that finds them while a text is spelt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BOUNDARY = " "


class Hotwords:
    """Finds phrases in texts that grow token by token, all hypotheses at once.

    A state is the longest end of the text that begins a phrase. While a phrase is spelt, its state is worth
    a share of the phrase's boost; the share is gone as soon as the text goes another way, and the boost is
    won when a word ends where the phrase does. Source: Aho and Corasick 1975.

    Args:
        phrases: normalised words, or several words with single spaces.
        boost: of each letter of a phrase, natural logarithm.
        pieces: text of each token; a space begins a word.
    Example:
        >>> hotwords = Hotwords(["ab"], 1.0, ["", "a", "b"])
        >>> state = hotwords.spelt[hotwords.start, 1]
        >>> float(hotwords.hope[state]), float(hotwords.won[hotwords.spelt[state, 2]])
        (1.0, 2.0)
    """

    start: int
    """The state before the first letter."""
    spelt: NDArray[np.int32]
    """State after the letters of a token, a space before them left aside `[S, V]`."""
    ended: NDArray[np.int32]
    """State after the end of a word `[S]`."""
    won: NDArray[np.float64]
    """Boost that the end of a word brings `[S]`."""
    hope: NDArray[np.float64]
    """Boost that the state would have if its phrase went on as begun `[S]`."""

    def __init__(self, phrases: Sequence[str], boost: float, pieces: Sequence[str]) -> None:
        letters = sorted({letter for piece in pieces for letter in piece.strip()} | {BOUNDARY})
        column = {letter: index for index, letter in enumerate(letters)}
        table = [[-1] * len(letters)]
        hope, won = [0.0], [0.0]
        for phrase in sorted({f" {phrase} " for phrase in phrases if not set(phrase) - set(letters)} | {" "}):
            state, spelt = 0, 0
            for letter in phrase:
                spelt += letter != BOUNDARY
                if table[state][column[letter]] < 0:
                    table[state][column[letter]] = len(table)
                    table.append([-1] * len(letters))
                    hope.append(boost * spelt)
                    won.append(0.0)
                state = table[state][column[letter]]
            if spelt:
                # The boundary at the end is also the one before the next word; nothing is hoped for there.
                won[state], hope[state] = boost * spelt, 0.0
        goto = _complete(table, won, hope)
        self.start = int(goto[0, column[BOUNDARY]])
        self.ended = goto[:, column[BOUNDARY]]
        self.won = np.array(won)[self.ended]
        self.hope = np.array(hope)
        self.spelt = np.empty((len(goto), len(pieces)), np.int32)
        for token, piece in enumerate(pieces):
            states = np.arange(len(goto), dtype=np.int32)
            for letter in piece.strip():
                states = goto[states, column[letter]]
            self.spelt[:, token] = states


def _complete(table: list[list[int]], won: list[float], hope: list[float]) -> NDArray[np.int32]:
    """Fill what leaves the phrases: a state goes on as the longest other end of its text would."""
    goto = np.array(table, dtype=np.int32)
    fallback = [0] * len(table)
    queue = deque([0])
    while queue:
        state = queue.popleft()
        other = goto[fallback[state]] if state else np.zeros(goto.shape[1], np.int32)
        won[state] += won[fallback[state]] if state else 0.0
        if not hope[state]:
            hope[state] = hope[fallback[state]]
        for letter, following in enumerate(table[state]):
            if following < 0:
                goto[state, letter] = other[letter]
            else:
                fallback[following] = int(other[letter])
                queue.append(following)
    return goto
