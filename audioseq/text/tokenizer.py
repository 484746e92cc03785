"""Text normalisation, the tokenizer protocol and the character tokenizer."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from audioseq.errors import CheckpointError, ConfigError, DataError

BLANK = 0
"""Id of the CTC blank."""
DEFAULT_ALPHABET = " abcdefghijklmnopqrstuvwxyz'"

# Replacements for letters and apostrophes without a Unicode decomposition.
_REPLACEMENTS = {
    **{"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "\u0131": "i"},
    **dict.fromkeys("\u2018\u2019\u201b\u2032\u02bb\u02bc\u00b4`\uff07", "'"),
}


class Normalised(NamedTuple):
    """Normalised text."""

    text: str
    dropped: Counter[str]
    """Dropped characters with their counts."""


def normalise(text: str, alphabet: str = DEFAULT_ALPHABET) -> Normalised:
    """Reduce a text to the characters of an alphabet, and count the dropped characters.

    Characters that are not in the alphabet are converted: letters to lower case, typographic apostrophes to
    straight ones, accented letters to their base letter ("É" to "e"). All others, including digits and
    punctuation, are dropped and counted, and separate words like a space. Numbers are not converted to words:
    write "twenty", not "20".

    Args:
        text: any text.
        alphabet: allowed characters.
    Returns:
        the text with single spaces between words, and the dropped characters.
    Example:
        >>> normalise("Well-known: the café's 2 doors.")
        Normalised(text="well known the cafe's doors", dropped=Counter({'-': 1, ':': 1, '2': 1, '.': 1}))
    """
    text = unicodedata.normalize("NFC", text)
    replacements = {char: _replacement(char, alphabet) for char in dict.fromkeys(text)}
    dropped = Counter({char: text.count(char) for char, plain in replacements.items() if plain is None})
    table = {ord(char): " " if plain is None else plain for char, plain in replacements.items()}
    words = text.translate(table).split()
    for word in words:
        if not _has_letter(word):  # a separate apostrophe is not a word
            dropped.update(word)
    return Normalised((" " if " " in alphabet else "").join(filter(_has_letter, words)), dropped)


class Tokenizer(Protocol):
    """Conversion between normalised text and CTC token ids."""

    @property
    def alphabet(self) -> str:
        """Characters that a text may contain."""

    @property
    def pieces(self) -> Sequence[str]:
        """Text of each token id; a leading space marks the start of a word; the blank, id 0, is empty."""

    @property
    def size(self) -> int:
        """Number of tokens V, including the blank."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a normalised text; DataError if a character is not in the alphabet."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids without blanks, with single spaces between words."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description of the tokenizer."""


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
        if not alphabet or len(set(alphabet)) < len(alphabet):
            raise ConfigError(f"alphabet {alphabet!r}: must have at least one character, and each only once")
        self.alphabet = alphabet
        self.pieces = ["", *alphabet]
        self.size = len(self.pieces)
        self._ids = {char: index for index, char in enumerate(alphabet, start=BLANK + 1)}

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a normalised text.

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
        """Return the text of token ids without blanks, with single spaces between words."""
        return join_pieces(self.pieces, tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description for `from_dict`."""
        return {"kind": "characters", "alphabet": self.alphabet}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CharTokenizer:
        """Build the tokenizer from the description of `to_dict`.

        Raises:
            CheckpointError: the description is of another kind of tokenizer.
        """
        alphabet = stored.get("alphabet")
        if stored.get("kind") != "characters" or not isinstance(alphabet, str):
            raise CheckpointError(f"the model's tokenizer is not a character tokenizer: {dict(stored)!s:.80}")
        return cls(alphabet)


def join_pieces(pieces: Sequence[str], tokens: Sequence[int]) -> str:
    """Join the pieces of token ids without blanks, with single spaces between words."""
    if any(not BLANK < token < len(pieces) for token in tokens):
        raise ValueError(f"token ids must be 1 to {len(pieces) - 1}, got {list(tokens)}")
    return " ".join("".join(pieces[token] for token in tokens).split())


def _replacement(char: str, alphabet: str) -> str | None:
    """Return the replacement of a character: text in the alphabet, "" for a mark, or None to drop it."""
    if char.isspace():
        return " "
    lower = char.lower()
    folded = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    for plain in (char, lower, _REPLACEMENTS.get(lower), folded):
        if plain and all(c in alphabet for c in plain):
            return plain
    # Mn: combining marks without a base letter; Cf: invisible characters.
    return "" if unicodedata.category(char) in ("Mn", "Cf") else None


def _has_letter(word: str) -> bool:
    return any(char.isalnum() for char in word)
