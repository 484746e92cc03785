"""Subword tokenizer (byte-pair encoding), learnt from text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from audioseq.errors import CheckpointError, DataError
from audioseq.text.tokenizer import DEFAULT_ALPHABET, CharTokenizer, Tokenizer, join_pieces

Pair = tuple[str, str]


class SubwordTokenizer:
    """Byte-pair encoding over characters.

    The first piece of a word begins with a space, so the space has no token of its own. Every single
    character is a piece, so every word can be encoded. Id 0 is the blank. Source: Sennrich et al. 2016,
    "Neural machine translation of rare words with subword units".

    Args:
        merges: pairs of pieces to merge, in order of priority (the most frequent first).
        alphabet: distinct characters, including the space.
    Example:
        >>> tokenizer = SubwordTokenizer.learn(["the cat", "the hat", "the bat"], 60)
        >>> [tokenizer.pieces[token] for token in tokenizer.encode("that cat")]
        [' t', 'h', 'at', ' c', 'at']
        >>> tokenizer.decode(tokenizer.encode("that cat"))
        'that cat'
    """

    def __init__(self, merges: Sequence[Pair], alphabet: str = DEFAULT_ALPHABET) -> None:
        letters = alphabet.replace(" ", "")
        self.alphabet = alphabet
        self.merges = [(str(left), str(right)) for left, right in merges]
        self.pieces = ["", *letters, *(f" {letter}" for letter in letters), *map("".join, self.merges)]
        self.size = len(self.pieces)
        self._ids = {piece: index for index, piece in enumerate(self.pieces)}
        self._ranks = {pair: rank for rank, pair in enumerate(self.merges)}
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def learn(cls, texts: Iterable[str], size: int, alphabet: str = DEFAULT_ALPHABET) -> SubwordTokenizer:
        """Learn merges from normalised texts, until there are `size` tokens or no pair occurs twice.

        Args:
            texts: normalised texts.
            size: maximum number of tokens, including the blank and the single characters.
            alphabet: distinct characters, including the space.
        Raises:
            DataError: `size` is smaller than the number of single characters and the blank.
        """
        base = cls([], alphabet).size
        if size < base:
            raise DataError(f"subwords: {size} tokens are too few; use at least {base}, one per character")
        counts = Counter(word for text in texts for word in text.split())
        words = [(_characters(word), count) for word, count in sorted(counts.items())]
        # After a merge, only the counts of the pairs in the words that contain the merged pair change.
        occurrences: defaultdict[Pair, set[int]] = defaultdict(set)
        totals: Counter[Pair] = Counter()
        for index, (parts, count) in enumerate(words):
            for pair in pairwise(parts):
                totals[pair] += count
                occurrences[pair].add(index)
        merges: list[Pair] = []
        while len(merges) < size - base and totals:
            best = max(totals, key=lambda pair: (totals[pair], pair))
            if totals[best] < 2:
                break
            merges.append(best)
            for index in sorted(occurrences[best]):
                parts, count = words[index]
                totals.subtract({pair: count * n for pair, n in Counter(pairwise(parts)).items()})
                parts = _merge(parts, best)
                words[index] = parts, count
                for pair in pairwise(parts):
                    totals[pair] += count
                    occurrences[pair].add(index)
            del totals[best]
        return cls(merges, alphabet)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a normalised text.

        Raises:
            DataError: a character is not in the alphabet.
        """
        return [token for word in text.split() for token in self._encode_word(word)]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids without blanks, with single spaces between words."""
        return join_pieces(self.pieces, tokens)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serialisable description for `from_dict`."""
        return {"kind": "subwords", "alphabet": self.alphabet, "merges": [list(pair) for pair in self.merges]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> SubwordTokenizer:
        """Build the tokenizer from the description of `to_dict`.

        Raises:
            CheckpointError: the description is damaged or of another kind of tokenizer.
        """
        try:
            return cls([(left, right) for left, right in stored["merges"]], stored["alphabet"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise CheckpointError(
                "the subwords in the model file are damaged; download or train the model again"
            ) from None

    def _encode_word(self, word: str) -> list[int]:
        if word not in self._cache:
            parts = _characters(word)
            while len(parts) > 1:
                best = min(pairwise(parts), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
                if best not in self._ranks:
                    break
                parts = _merge(parts, best)
            try:
                self._cache[word] = [self._ids[part] for part in parts]
            except KeyError as error:
                raise DataError(
                    f"{word[:60]!r}: {error.args[0].strip()!r} is not in the alphabet {self.alphabet!r}; "
                    "normalise the text first"
                ) from None
        return self._cache[word]


def restore_tokenizer(stored: Mapping[str, Any]) -> Tokenizer:
    """Build the tokenizer of either kind that is stored in a model file."""
    tokenizer = SubwordTokenizer if stored.get("kind") == "subwords" else CharTokenizer
    return tokenizer.from_dict(stored)


def _characters(word: str) -> list[str]:
    return [f" {word[0]}", *word[1:]]


def _merge(parts: Sequence[str], pair: Pair) -> list[str]:
    """Merge every occurrence of a pair, from left to right."""
    merged: list[str] = []
    for part in parts:
        if merged and (merged[-1], part) == pair:
            merged[-1] += part
        else:
            merged.append(part)
    return merged
