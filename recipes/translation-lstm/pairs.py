"""Sentences and their translations: two files, a line each; and the parts of words that they are spelt in."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from audioseq.errors import CheckpointError, ConfigError, DataError
from audioseq.files import reading

PAD, UNKNOWN, BEGIN, END = range(4)
"""Tokens that are no part of a word."""


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


def read_lines(path: Path) -> list[str]:
    """Read a text file, a sentence a line, without the spaces around them.

    Raises:
        DataError: it is missing, or is no UTF-8 text.
    """
    with reading(path, DataError, "run prepare.py first, or name your own"):
        text = path.read_text(encoding="utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]  # other marks may be in a sentence


def read_pairs(paths: tuple[Path, Path]) -> list[Pair]:
    """Read the file of sentences and that of their translations.

    Raises:
        DataError: one cannot be read, they have not equally many lines, or one lacks a sentence.
    """
    sources, targets = map(read_lines, paths)
    if len(sources) != len(targets):
        raise DataError(
            f"{paths[0]} has {len(sources)} lines, {paths[1]} has {len(targets)}; "
            "each line must be the translation of that line in the other"
        )
    for path, lines in zip(paths, (sources, targets), strict=True):
        if "" in lines:
            raise DataError(f"{path}:{lines.index('') + 1}: is empty; take the line out of both files")
    return [Pair(*pair) for pair in zip(sources, targets, strict=True)]


class Subwords:
    """Byte-pair encoding by sentencepiece, of both languages at once; what it never saw it spells in bytes.

    Args:
        model: sentencepiece's own file.
    Raises:
        CheckpointError: it is damaged.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        try:
            self.processor: Any = needed("sentencepiece").SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise CheckpointError("the model's subwords are damaged; get or train it again") from None

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Subwords:
        """Learn `size` tokens from texts, or fewer if there is not enough to learn.

        Raises:
            DataError: `size` has no room for bytes and characters.
        """
        model = io.BytesIO()
        try:
            needed("sentencepiece").SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_writer=model, model_type="bpe", vocab_size=size,
                hard_vocab_limit=False, character_coverage=1.0, byte_fallback=True, num_threads=1,
                pad_id=PAD, unk_id=UNKNOWN, bos_id=BEGIN, eos_id=END, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2].strip()
            raise DataError(f"data.vocabulary: {size} subwords cannot be learnt ({reason})") from None
        return cls(model.getvalue())

    @property
    def size(self) -> int:
        """Number of tokens V."""
        return int(self.processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a sentence, the end behind them."""
        return [*self.processor.encode(text), END]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the sentence of ids, with or without the end."""
        return str(self.processor.decode([token for token in tokens if token > END]))

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Return how each token is spelt."""
        return [self.processor.id_to_piece(token) for token in tokens]

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` needs, in plain values."""
        return {"kind": "sentencepiece", "model": base64.b64encode(self.model).decode()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Subwords:
        """Make the subwords that `to_dict` described.

        Raises:
            CheckpointError: they are damaged, or of another kind.
        """
        try:
            return cls(base64.b64decode(stored["model"], validate=True))
        except (KeyError, TypeError, ValueError):
            raise CheckpointError("the model's subwords are damaged; get or train it again") from None


def needed(name: str) -> Any:
    """Import a library that this recipe needs and the package does not.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(f"{name}: is not installed; pip install 'audioseq[translation]'") from None
