"""Pronunciation dictionaries: words to phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audioseq.errors import DataError
from audioseq.language.corpus import read_lines
from audioseq.models import bundled_dir
from audioseq.text.tokenizer import BLANK

PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY",
    "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""The phones of American English in CMUdict's notation (ARPAbet), without stress."""
WORD_BOUNDARY = BLANK + 1
"""The unit between words; the units after it are the phones."""
NUM_PHONE_UNITS = len(PHONES) + 2
"""The blank, the word boundary, and the phones."""
FIRST_PRONUNCIATION_SHARE = 0.7
"""Share of words that get their first pronunciation when one is drawn at random."""

ENGLISH = "english"
"""Name of the dictionary that is bundled with the package, with 62,000 words."""

_IDS = {phone: WORD_BOUNDARY + 1 + index for index, phone in enumerate(PHONES)}


class Pronunciations:
    """The pronunciations of words, each a sequence of units.

    Args:
        words: each word's pronunciations, the most frequent first.
    Example:
        >>> pronunciations = Pronunciations({"a": [(4,)], "bad": [(8, 3, 10)]})
        >>> pronunciations.encode("a bad"), pronunciations.encode("a cad")
        ([4, 1, 8, 3, 10], None)
    """

    def __init__(self, words: Mapping[str, Sequence[tuple[int, ...]]]) -> None:
        self._words = words

    @classmethod
    def read(cls, path: str | Path) -> Pronunciations:
        """Read a dictionary in the format of CMUdict, which may be compressed.

        Each line has a word and its phones, with or without stress digits. Further pronunciations follow as
        `word(2)`, `word(3)`. Comments follow a `#` or start with `;;;`.

        Args:
            path: a file, or `english` for the bundled dictionary.
        Raises:
            DataError: the file cannot be read, or a line is malformed.
        """
        path = bundled_dir() / "english-dictionary.txt.xz" if str(path) == ENGLISH else path
        words: dict[str, list[tuple[int, ...]]] = {}
        for number, line in enumerate(read_lines([path]), 1):
            word, *phones = line.partition(" #")[0].split() or [";;;"]
            if word.startswith(";;;"):
                continue
            unstressed = tuple(phone.rstrip("012") for phone in phones)
            unknown = [phone for phone in unstressed if phone not in _IDS]
            if unknown or not unstressed:
                problem = f"{unknown[0]!r} is not a phone" if unknown else "no phones follow the word"
                raise DataError(f"{path}:{number}: {problem}; write a word and its phones, as in: cat K AE T")
            units = tuple(_IDS[phone] for phone in unstressed)
            words.setdefault(word.partition("(")[0].lower(), []).append(units)
        return cls(words)

    def lookup(self, word: str) -> Sequence[tuple[int, ...]]:
        """Return the pronunciations of a word in units, the most frequent first; empty if unknown."""
        return self._words.get(word, ())

    def encode(self, text: str, random: np.random.Generator | None = None) -> list[int] | None:
        """Return the units of a text; None if it has a word without a known pronunciation.

        Args:
            text: words separated by spaces.
            random: draws one of a word's pronunciations; without it, each word gets its first.
        """
        units: list[int] = []
        for word in text.split():
            variants = self.lookup(word)
            if not variants:
                return None
            index = 0
            if random is not None and len(variants) > 1 and random.random() > FIRST_PRONUNCIATION_SHARE:
                index = int(random.integers(len(variants)))
            units += [WORD_BOUNDARY, *variants[index]]
        return units[1:]
