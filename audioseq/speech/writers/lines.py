"""Lines of subtitles: few, of similar length, and broken between clauses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from audioseq.speech.transcript import ends_sentence

WORDS_WITH_NEXT = frozenset(
    word
    for words in (
        "a an the this these my your his her its our their no very not",
        "of to in on at by for from with into as than and or but if that who which",
        "i you he she it we they is are was were be been has have had will would can could",
    )
    for word in words.split()
)
"""Words that belong to the word after them."""
BREAK_COSTS = {"sentence": 0.0, "clause": 5.0, "word": 20.0, "with next": 30.0}
"""Cost of a line break after the end of a sentence, of a clause, a word, and a word of `WORDS_WITH_NEXT`, in
characters by which one line may be longer than the other to avoid it."""


def break_cost(text: str) -> float:
    """Return the cost of a break after a word.

    Example:
        >>> [break_cost(text) for text in ("rain.", "rain,", "rain", "the")]
        [0.0, 5.0, 20.0, 30.0]
    """
    if ends_sentence(text):
        return BREAK_COSTS["sentence"]
    if re.search(r"\W$", text):
        return BREAK_COSTS["clause"]
    return BREAK_COSTS["with next" if text.lower() in WORDS_WITH_NEXT else "word"]


def break_lines(words: Sequence[str], width: int) -> list[str]:
    """Return words in as few lines as possible, broken at the best places.

    A break costs `break_cost`, and each line the characters by which it differs from the mean length. Dynamic
    programming finds the lines of the lowest total cost; of equal ones, those with a short first line.

    Args:
        words: no longer than the width.
        width: maximum number of characters per line.
    Example:
        >>> break_lines("she opened the window, and listened to the rain".split(), 42)
        ['she opened the window,', 'and listened to the rain']
    """
    count = count_lines(words, width)
    if count <= 1:
        return [" ".join(words)] if words else []
    mean = (len(" ".join(words)) - count + 1) / count
    # Lowest cost of the first words in the lines so far, with the end of each line.
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}
    for _ in range(count):
        extended: dict[int, tuple[float, tuple[int, ...]]] = {}
        for start, (cost, ends) in best.items():
            length = -1
            for end in range(start + 1, len(words) + 1):
                length += len(words[end - 1]) + 1
                if length > width:
                    break
                total = cost + abs(length - mean) + (break_cost(words[end - 1]) if end < len(words) else 0.0)
                if end not in extended or (total, ends) < extended[end]:
                    extended[end] = (total, (*ends, end))
        best = extended
    _, ends = best[len(words)]
    return [" ".join(words[start:end]) for start, end in pairwise((0, *ends))]


def count_lines(words: Sequence[str], width: int) -> int:
    """Return the lowest number of lines of words."""
    lines, length = 0, width
    for word in words:
        length += len(word) + 1
        if length > width:
            lines, length = lines + 1, len(word)
    return lines
