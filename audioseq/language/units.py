"""The tokens of a language model: words, subwords or characters, and the end of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary
from audioseq.text.subwords import restore_tokenizer
from audioseq.text.tokenizer import BLANK, DEFAULT_ALPHABET, Tokenizer


class Units:
    """Encode sentences as tokens: words of a vocabulary, or the pieces of a tokenizer.

    One end token separates sentences: it marks the end of a sentence and the start of the next. With subwords
    and characters its id is 0, the id of the CTC blank, which never occurs in a text; so the ids of the
    recogniser and of the language model agree.

    Args:
        source: a vocabulary, which maps OOV words to `<unk>`; or a tokenizer, which encodes any word.
    Example:
        >>> from audioseq.text.tokenizer import CharTokenizer
        >>> units = Units(CharTokenizer())
        >>> units.encode("a cab"), units.end, units.tokens_per_word("a cab")
        ([2, 1, 4, 2, 3], 0, [1, 4])
    """

    def __init__(self, source: Vocabulary | Tokenizer) -> None:
        self.source = source
        if isinstance(source, Vocabulary):
            self.end, self.alphabet = source.eos, DEFAULT_ALPHABET
            self.pieces: Sequence[str] = ["" if w in SPECIAL_TOKENS else f" {w}" for w in source.words]
        else:
            self.end, self.alphabet, self.pieces = BLANK, source.alphabet, source.pieces

    @property
    def size(self) -> int:
        """Number of tokens V."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Encode a normalised sentence, without the end token.

        Raises:
            DataError: a character is not in the alphabet of a tokenizer.
        """
        if isinstance(self.source, Vocabulary):
            return self.source.encode(text.split())
        return self.source.encode(text)

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary of a word model; None with subwords or characters."""
        return self.source if isinstance(self.source, Vocabulary) else None

    def tokens_per_word(self, text: str) -> list[int]:
        """Count the tokens of each word of a normalised sentence; the space before a word counts with it."""
        return [len(self.encode(f" {word}" if index else word)) for index, word in enumerate(text.split())]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `restore_units`."""
        return self.source.to_dict()


def restore_units(stored: Mapping[str, Any]) -> Units:
    """Build the units from the values of `Units.to_dict`.

    Raises:
        CheckpointError: the values are damaged or of an unknown kind.
    """
    is_vocabulary = stored.get("kind") == "words"
    return Units(Vocabulary.from_dict(stored) if is_vocabulary else restore_tokenizer(stored))
