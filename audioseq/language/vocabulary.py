"""The vocabulary of a language model: words and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audioseq.errors import CheckpointError

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
"""The unknown word, the start and the end of a sentence: ids 0, 1 and 2."""


@dataclass(frozen=True)
class Vocabulary:
    """Map words to ids, starting at 0.

    Args:
        words: distinct words; the first three are `<unk>`, `<s>` and `</s>`.
    Raises:
        CheckpointError: the words do not start with the special tokens, or a word occurs twice.
    Example:
        >>> vocabulary = Vocabulary.from_counts({"the": 3, "cat": 2, "sat": 2, "aardvark": 1}, at_least=2)
        >>> vocabulary.words
        ('<unk>', '<s>', '</s>', 'the', 'cat', 'sat')
        >>> vocabulary.encode(["the", "aardvark", "sat"]), "aardvark" in vocabulary
        ([3, 0, 5], False)
    """

    words: tuple[str, ...]

    unk = 0
    """Id of `<unk>`, the token of all out-of-vocabulary words."""
    bos = 1
    """Id of `<s>`, the start of a sentence."""
    eos = 2
    """Id of `</s>`, the end of a sentence."""

    def __post_init__(self) -> None:
        if self.words[:3] != SPECIAL_TOKENS or len(self._ids) != len(self.words):
            raise CheckpointError(f"a vocabulary must be {', '.join(SPECIAL_TOKENS)} and then distinct words")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], size: int | None = None, at_least: int = 1) -> Vocabulary:
        """Build a vocabulary of the most frequent words, sorted by count and then alphabetically.

        Args:
            counts: number of occurrences of each word; special tokens among the words are ignored.
            size: maximum number of words, special tokens not counted; None for no limit.
            at_least: minimum number of occurrences.
        """
        frequent = [(-n, word) for word, n in counts.items() if n >= at_least and word not in SPECIAL_TOKENS]
        return cls((*SPECIAL_TOKENS, *(word for _, word in sorted(frequent)[:size])))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def index(self, word: str) -> int:
        """Return the id of a word; the id of `<unk>` for an OOV word."""
        return self._ids.get(word, self.unk)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the ids of words; the id of `<unk>` for OOV words."""
        find, unknown = self._ids.get, self.unk
        return [find(word, unknown) for word in words]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for `from_dict`."""
        return {"kind": "words", "words": list(self.words)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Vocabulary:
        """Build the vocabulary from the values of `to_dict`.

        Raises:
            CheckpointError: the values do not describe a vocabulary.
        """
        words = stored.get("words")
        if stored.get("kind") != "words" or not isinstance(words, list):
            raise CheckpointError(f"the model's words {str(dict(stored))[:80]} are not a vocabulary")
        return cls(tuple(map(str, words)))
