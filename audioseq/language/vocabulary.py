"""The words that a language model knows, and their ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audioseq.errors import CheckpointError

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
MARKS = (UNKNOWN, START, END)
"""Not words, but what stands for any other word, and for the start and the end of a sentence: ids 0, 1, 2."""


@dataclass(frozen=True)
class Vocabulary:
    """Words with ids from 0 on.

    Args:
        words: distinct; the first three are `<unk>`, `<s>` and `</s>`.
    Raises:
        CheckpointError: the first three are not those, or a word is there twice.
    Example:
        >>> vocabulary = Vocabulary.from_counts({"the": 3, "cat": 2, "sat": 2, "aardvark": 1}, at_least=2)
        >>> vocabulary.words
        ('<unk>', '<s>', '</s>', 'the', 'cat', 'sat')
        >>> vocabulary.encode(["the", "aardvark", "sat"]), "aardvark" in vocabulary
        ([3, 0, 5], False)
    """

    words: tuple[str, ...]

    unk = 0
    """Id of `<unk>`: every word that is not in the vocabulary."""
    bos = 1
    """Id of `<s>`: what comes before the first word."""
    eos = 2
    """Id of `</s>`: what comes after the last word."""

    def __post_init__(self) -> None:
        if self.words[:3] != MARKS or len(self._ids) != len(self.words):
            raise CheckpointError(f"a vocabulary is {', '.join(MARKS)} and distinct words; this one is not")

    @classmethod
    def from_counts(cls, counts: Mapping[str, int], size: int | None = None, at_least: int = 1) -> Vocabulary:
        """Take the most frequent words, in the order of their counts and then of their letters.

        Args:
            counts: how often each word was seen; `<unk>`, `<s>` and `</s>` among them are no words.
            size: at most so many words, besides the three marks; None for no limit.
            at_least: leave out what was seen less often.
        """
        frequent = [(-n, word) for word, n in counts.items() if n >= at_least and word not in MARKS]
        return cls((*MARKS, *(word for _, word in sorted(frequent)[:size])))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def index(self, word: str) -> int:
        """Return the id of a word; that of `<unk>` when it is not in the vocabulary."""
        return self._ids.get(word, self.unk)

    def encode(self, words: Iterable[str]) -> list[int]:
        """Return the ids of words, that of `<unk>` for those that are not in the vocabulary."""
        find, unknown = self._ids.get, self.unk
        return [find(word, unknown) for word in words]

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, in plain values."""
        return {"kind": "words", "words": list(self.words)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Vocabulary:
        """Make the vocabulary that `to_dict` described.

        Raises:
            CheckpointError: it describes something else.
        """
        words = stored.get("words")
        if stored.get("kind") != "words" or not isinstance(words, list):
            raise CheckpointError(f"the model's words {str(dict(stored))[:80]} are no vocabulary")
        return cls(tuple(map(str, words)))
