"""What a language model reads and foretells: words, subwords or characters, and the end of a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audioseq.language.vocabulary import MARKS, Vocabulary
from audioseq.text.subwords import restore as restore_tokenizer
from audioseq.text.tokenizer import BLANK, DEFAULT_ALPHABET, Tokenizer


class Units:
    """Tokens of a sentence, whatever they are.

    A sentence begins after the end of another, so one token stands for both. Subwords and characters have it
    where CTC has its blank: a text never holds id 0, and the ids of recogniser and language model agree.

    Args:
        source: a vocabulary, whose words outside it are all `<unk>`; or a tokenizer, which spells any word.
    Example:
        >>> from audioseq.text.tokenizer import CharTokenizer
        >>> units = Units(CharTokenizer())
        >>> units.encode("a cab"), units.end, units.words("a cab")
        ([2, 1, 4, 2, 3], 0, [1, 4])
    """

    def __init__(self, source: Vocabulary | Tokenizer) -> None:
        self.source = source
        if isinstance(source, Vocabulary):
            self.end, self.alphabet = source.eos, DEFAULT_ALPHABET
            self.pieces: Sequence[str] = ["" if word in MARKS else f" {word}" for word in source.words]
        else:
            self.end, self.alphabet, self.pieces = BLANK, source.alphabet, source.pieces

    @property
    def size(self) -> int:
        """Number of tokens V."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a normalised sentence, without its end.

        Raises:
            DataError: a character is not in the alphabet of a tokenizer.
        """
        if isinstance(self.source, Vocabulary):
            return self.source.encode(text.split())
        return self.source.encode(text)

    def words(self, text: str) -> list[int]:
        """Return how many tokens each word of a normalised sentence has, with those of a space before it."""
        return [len(self.encode(f" {word}" if place else word)) for place, word in enumerate(text.split())]

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` needs, in plain values."""
        return self.source.to_dict()


def restore(stored: Mapping[str, Any]) -> Units:
    """Make the units that `Units.to_dict` described.

    Raises:
        CheckpointError: they are of no kind that is known, or damaged.
    """
    words = stored.get("kind") == "words"
    return Units(Vocabulary.from_dict(stored) if words else restore_tokenizer(stored))
