"""How words are said: dictionaries of pronunciations in phones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from audioseq.errors import DataError
from audioseq.language.corpus import read
from audioseq.models import bundled_dir
from audioseq.text.tokenizer import BLANK

PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY",
    "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""The phones of American English as CMUdict writes them (ARPAbet), without stress."""
MARK = BLANK + 1
"""The unit between words. Phones are the units after it."""
UNITS = len(PHONES) + 2
"""The blank, the mark between words, and the phones."""
USUAL = 0.7
"""Share of words that are said in their first way where any will do."""

ENGLISH = "english"
"""The dictionary that comes with the package, of 62,000 words."""

_IDS = {phone: MARK + 1 + index for index, phone in enumerate(PHONES)}


class Pronunciations:
    """The ways in which words are said, each a row of units.

    Args:
        words: each word's pronunciations, the most usual first.
    Example:
        >>> said = Pronunciations({"a": [(4,)], "bad": [(8, 3, 10)]})
        >>> said.units("a bad"), said.units("a cad")
        ([4, 1, 8, 3, 10], None)
    """

    def __init__(self, words: Mapping[str, Sequence[tuple[int, ...]]]) -> None:
        self._words = words

    @classmethod
    def read(cls, path: str | Path) -> Pronunciations:
        """Read a dictionary in the format of CMUdict, compressed or not.

        Each line has a word and its phones, which may carry the digits of stress; further pronunciations are
        those of `word(2)`, `word(3)`; what follows a `#` or starts with `;;;` is a remark.

        Args:
            path: of a file, or `english` for the dictionary that comes with the package.
        Raises:
            DataError: the file cannot be read, or a line is not as it should be.
        """
        path = bundled_dir() / "english-dictionary.txt.xz" if str(path) == ENGLISH else path
        words: dict[str, list[tuple[int, ...]]] = {}
        for number, line in enumerate(read([path]), 1):
            word, *phones = line.partition(" #")[0].split() or [";;;"]
            if word.startswith(";;;"):
                continue
            plain = tuple(phone.rstrip("012") for phone in phones)
            unknown = [phone for phone in plain if phone not in _IDS]
            if unknown or not plain:
                wrong = f"{unknown[0]!r} is no phone" if unknown else "no phones follow the word"
                raise DataError(f"{path}:{number}: {wrong}; write a word and its phones, as in: cat K AE T")
            words.setdefault(word.partition("(")[0].lower(), []).append(tuple(_IDS[phone] for phone in plain))
        return cls(words)

    def ways(self, word: str) -> Sequence[tuple[int, ...]]:
        """Return the pronunciations of a word in units, the most usual first; none if it is not known."""
        return self._words.get(word, ())

    def units(self, text: str, random: np.random.Generator | None = None) -> list[int] | None:
        """Return the units of a text, None if it has a word whose pronunciation is not known.

        Args:
            text: words between spaces.
            random: draws which pronunciation of a word it is; without it, the first.
        """
        units: list[int] = []
        for word in text.split():
            ways = self.ways(word)
            if not ways:
                return None
            other = random is not None and len(ways) > 1 and random.random() > USUAL
            units += [MARK, *ways[int(random.integers(len(ways))) if other and random else 0]]
        return units[1:]
