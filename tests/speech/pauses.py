"""A punctuation model for tests: marks from pauses, and a word that depends on the word after it."""

from __future__ import annotations

from collections.abc import Sequence


class PausePunctuator:
    """Ends a sentence at pauses of half a second, before "yes" and at the end; commas at short pauses."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        """Number of words of each call."""

    def punctuate(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> list[str]:
        """Return a written word for each word."""
        assert pauses is not None and len(pauses) == len(words)
        self.calls.append(len(words))
        written, begins = [], True
        for word, pause, following in zip(words, pauses, [*words[1:], ""], strict=True):
            mark = "?" if following == "yes" else "." if not pause < 0.5 else "," if pause >= 0.3 else ""
            written.append((word.capitalize() if begins else word) + mark)
            begins = mark in ("?", ".")
        return written
