"""Words without marks between them, and what is written for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from audioseq.text.numerals.spoken import NUMBER_WORDS, ORDINALS, TENS, UNITS


class Written(NamedTuple):
    """A written word."""

    text: str
    spoken: int
    """Number of spoken words that it stands for."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive words of a sentence without marks between them."""

    originals: tuple[str, ...]
    """The words with their case."""
    begins_sentence: bool
    ends_sentence: bool

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words in lower case."""
        return tuple(word.lower() for word in self.originals)

    def at(self, index: int) -> str:
        """Return a word in lower case; empty if there is none."""
        return self.words[index] if 0 <= index < len(self.words) else ""

    def has(self, index: int, words: Collection[str]) -> bool:
        """Return whether a word is one of some words."""
        return self.at(index) in words

    def begins_number(self, index: int) -> bool:
        """Return whether a word is one that begins a number."""
        return self.has(index, NUMBER_WORDS)

    def copy(self, start: int, end: int) -> list[Written]:
        """Return words as they are, but compound numbers with a hyphen: "Twenty-five"."""
        found: list[Written] = []
        while start < end:
            following = self.at(start + 1)
            if start + 1 < end and self.has(start, TENS) and ORDINALS.get(following, following) in UNITS:
                found.append(Written(f"{self.originals[start]}-{following}", 2))
            else:
                found.append(Written(self.originals[start], 1))
            start += found[-1].spoken
        return found


def continues(stretch: Stretch, index: int) -> bool:
    """Return whether a number continues with a larger one, as in "may five hundred"."""
    return stretch.has(index, {"hundred", "thousand", "million"})


def count_words(written: list[Written]) -> int:
    """Return the number of spoken words that written words stand for."""
    return sum(each.spoken for each in written)


def figures(value: int) -> str:
    """Return a number in figures, with commas.

    Example:
        >>> figures(1234567)
        '1,234,567'
    """
    return f"{value:,}"


def ordinal_figures(value: int) -> str:
    """Return an ordinal in figures.

    Example:
        >>> [ordinal_figures(value) for value in (1, 12, 22, 103, 111)]
        ['1st', '12th', '22nd', '103rd', '111th']
    """
    suffix = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{figures(value)}{suffix}"
