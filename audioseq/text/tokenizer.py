"""Text to token ids and back, and the plain spelling that texts are brought to first."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from audioseq.errors import CheckpointError, ConfigError, DataError

BLANK = 0
"""The token of CTC that stands for no character."""
DEFAULT_ALPHABET = " abcdefghijklmnopqrstuvwxyz'"

# Letters and apostrophes that Unicode does not take apart by itself.
_PLAIN = {
    **{"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "\u0131": "i"},
    **dict.fromkeys("\u2018\u2019\u201b\u2032\u02bb\u02bc\u00b4`\uff07", "'"),
}


class Normalised(NamedTuple):
    """A text in the plain spelling of an alphabet."""

    text: str
    dropped: Counter[str]
    """Characters that were left out, with their number."""


def normalise(text: str, alphabet: str = DEFAULT_ALPHABET) -> Normalised:
    """Spell a text in the characters of an alphabet, and say what was left out.

    Letters become lower case, typographic apostrophes straight ones, and accents are folded ("É" is "e")
    wherever the alphabet lacks the character itself. All else, digits and punctuation included, is dropped
    and counted, and separates words as a space does. Numbers are not spelled out: write "twenty", not "20".

    Args:
        text: any text.
        alphabet: the characters that may remain.
    Returns:
        the text with single spaces between its words, and the characters dropped.
    Example:
        >>> normalise("Well-known: the café's 2 doors.")
        Normalised(text="well known the cafe's doors", dropped=Counter({'-': 1, ':': 1, '2': 1, '.': 1}))
    """
    text = unicodedata.normalize("NFC", text)
    spelling = {char: _spell(char, alphabet) for char in dict.fromkeys(text)}
    dropped = Counter({char: text.count(char) for char, plain in spelling.items() if plain is None})
    table = {ord(char): " " if plain is None else plain for char, plain in spelling.items()}
    words = text.translate(table).split()
    for word in words:
        if not _has_letter(word):  # an apostrophe by itself is no word
            dropped.update(word)
    return Normalised((" " if " " in alphabet else "").join(filter(_has_letter, words)), dropped)


class Tokenizer(Protocol):
    """What turns normalised text into the tokens of CTC, and back."""

    @property
    def alphabet(self) -> str:
        """Characters that a text may have."""

    @property
    def pieces(self) -> Sequence[str]:
        """Text of each token id; a space begins a word, and that of the blank, id 0, is empty."""

    @property
    def size(self) -> int:
        """Number of tokens V, the blank included."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a normalised text; DataError where a character is not in the alphabet."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids (no blanks), with single spaces between its words."""

    def to_dict(self) -> dict[str, Any]:
        """Return what makes the tokenizer again, in plain values."""


class CharTokenizer:
    """Character tokens for CTC: id 0 is the blank, id i is the i-th character of the alphabet.

    Args:
        alphabet: distinct characters.
    Raises:
        ConfigError: the alphabet is empty or repeats a character.
    Example:
        >>> tokenizer = CharTokenizer()
        >>> tokenizer.encode("a cab"), tokenizer.decode([2, 1, 4, 2, 3])
        ([2, 1, 4, 2, 3], 'a cab')
    """

    def __init__(self, alphabet: str = DEFAULT_ALPHABET) -> None:
        repeated = [char for char, count in Counter(alphabet).items() if count > 1]
        if not alphabet or repeated:
            raise ConfigError(f"alphabet {alphabet!r}: give at least one character, and each only once")
        self.alphabet = alphabet
        self.pieces = ["", *alphabet]
        self._ids = {char: index for index, char in enumerate(alphabet, start=BLANK + 1)}

    @property
    def size(self) -> int:
        """Number of tokens V, the blank included."""
        return len(self.alphabet) + 1

    def encode(self, text: str) -> list[int]:
        """Return the ids of a normalised text.

        Raises:
            DataError: a character is not in the alphabet.
        """
        try:
            return [self._ids[char] for char in text]
        except KeyError as error:
            raise DataError(
                f"{text[:60]!r}: {error.args[0]!r} is not in the alphabet; normalise the text first"
            ) from None

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids (no blanks), with single spaces between its words."""
        if any(not BLANK < token < self.size for token in tokens):
            raise ValueError(f"token ids must be 1 to {self.size - 1}, got {list(tokens)}")
        return " ".join("".join(self.alphabet[token - 1] for token in tokens).split())

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, in plain values."""
        return {"kind": "characters", "alphabet": self.alphabet}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CharTokenizer:
        """Make the tokenizer that `to_dict` described.

        Raises:
            CheckpointError: it describes another kind of tokenizer.
        """
        alphabet = stored.get("alphabet")
        if stored.get("kind") != "characters" or not isinstance(alphabet, str):
            raise CheckpointError(f"the model's tokenizer {str(dict(stored))[:80]} is not one of characters")
        return cls(alphabet)


def _spell(char: str, alphabet: str) -> str | None:
    """Return what to write for a character: itself, a plain spelling, nothing for a mark, None to drop it."""
    if char.isspace():
        return " "
    lower = char.lower()
    folded = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    for plain in (char, lower, _PLAIN.get(lower), folded):
        if plain and all(c in alphabet for c in plain):
            return plain
    return (
        "" if unicodedata.category(char) in ("Mn", "Cf") else None
    )  # loose accents and invisible characters


def _has_letter(word: str) -> bool:
    return any(char.isalnum() for char in word)
