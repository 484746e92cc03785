"""Sentence pairs from two text files, and their subwords."""

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
"""Ids of the special tokens."""


class Pair(NamedTuple):
    """A sentence and its translation."""

    source: str
    target: str


def read_lines(path: Path) -> list[str]:
    """Read a text file of one sentence a line; spaces around sentences are removed.

    Raises:
        DataError: the file is missing or not UTF-8.
    """
    with reading(path, DataError, "run prepare.py first, or set data.train, data.valid and data.test"):
        text = path.read_text(encoding="utf-8")
    return [
        line.strip() for line in text.removesuffix("\n").split("\n")
    ]  # a sentence may contain other line separators


def read_pairs(paths: tuple[Path, Path]) -> list[Pair]:
    """Read sentence pairs from a file of sentences and a file of their translations.

    Raises:
        DataError: a file cannot be read, a line is empty, or the numbers of lines differ.
    """
    sources, targets = map(read_lines, paths)
    if len(sources) != len(targets):
        raise DataError(
            f"{paths[0]} has {len(sources)} lines, {paths[1]} has {len(targets)}; "
            "each line must be the translation of the same line in the other file"
        )
    for path, lines in zip(paths, (sources, targets), strict=True):
        if "" in lines:
            raise DataError(f"{path}:{lines.index('') + 1}: is empty; remove the line from both files")
    return [Pair(*pair) for pair in zip(sources, targets, strict=True)]


class Subwords:
    """Byte-pair encoding of both languages by sentencepiece; unseen characters are encoded in bytes.

    Args:
        model: content of a sentencepiece model file.
    Raises:
        CheckpointError: the model is damaged.
    """

    def __init__(self, model: bytes) -> None:
        self.model = model
        try:
            self.processor: Any = import_optional("sentencepiece").SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise CheckpointError("the model's subwords are damaged; download or train it again") from None

    @classmethod
    def learn(cls, texts: Iterable[str], size: int) -> Subwords:
        """Learn up to `size` subwords from texts.

        Raises:
            DataError: `size` is too small for all bytes and characters.
        """
        model = io.BytesIO()
        try:
            import_optional("sentencepiece").SentencePieceTrainer.train(
                sentence_iterator=iter(texts), model_writer=model, model_type="bpe", vocab_size=size,
                hard_vocab_limit=False, character_coverage=1.0, byte_fallback=True, num_threads=1,
                pad_id=PAD, unk_id=UNKNOWN, bos_id=BEGIN, eos_id=END, minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2].strip()
            raise DataError(
                f"data.vocabulary: {size} subwords cannot be learnt ({reason}); change the number"
            ) from None
        return cls(model.getvalue())

    @property
    def size(self) -> int:
        """Number of tokens V."""
        return int(self.processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """Return the ids of a sentence and the end token."""
        return [*self.processor.encode(text), END]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the sentence of ids; special tokens are ignored."""
        return str(self.processor.decode([token for token in tokens if token > END]))

    def pieces(self, tokens: Sequence[int]) -> list[str]:
        """Return the text of each token."""
        return [self.processor.id_to_piece(token) for token in tokens]

    def to_dict(self) -> dict[str, Any]:
        """Return the subwords as plain values for `from_dict`."""
        return {"kind": "sentencepiece", "model": base64.b64encode(self.model).decode()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Subwords:
        """Restore subwords from the values of `to_dict`.

        Raises:
            CheckpointError: the values are damaged or of another kind.
        """
        try:
            return cls(base64.b64decode(stored["model"], validate=True))
        except (KeyError, TypeError, ValueError):
            raise CheckpointError("the model's subwords are damaged; download or train it again") from None


def import_optional(name: str) -> Any:
    """Import an optional dependency of this recipe.

    Raises:
        ConfigError: the library is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        raise ConfigError(f"{name}: is not installed; pip install 'audioseq[translation]'") from None
