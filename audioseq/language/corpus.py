"""Read text, plain or compressed, one sentence a line, as words and word ids."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import DataError
from audioseq.files import reading, write_bytes
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary
from audioseq.text.tokenizer import normalise

OPENERS = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
MAX_LINE_CHARACTERS = 2**24
"""Longest line of a text; a small compressed file may hold one that fills the memory."""
HELD_OUT_INTERVAL = 100
"""Distance of held-out sentences: one in this many is not used for training."""


@dataclass(frozen=True)
class Corpus:
    """A text as word ids."""

    words: tuple[str, ...]
    """The special tokens, then each distinct word of the text."""
    tokens: NDArray[np.int32]
    """Indices into `words`, each sentence between `<s>` and `</s>` `[N]`."""
    dropped: Counter[str]
    """Characters that normalisation removed, with their counts."""

    def counts(self) -> dict[str, int]:
        """Count the occurrences of each word."""
        counts, first = np.bincount(self.tokens, minlength=len(self.words)), len(SPECIAL_TOKENS)
        return dict(zip(self.words[first:], counts[first:].tolist(), strict=True))

    def encode(self, vocabulary: Vocabulary) -> NDArray[np.int32]:
        """Return the text as ids of a vocabulary `[N]`."""
        return np.array(vocabulary.encode(self.words), np.int32)[self.tokens]

    def summary(self) -> str:
        """Return a line with the size of the text and the characters that were removed."""
        sentences = int((self.tokens == Vocabulary.bos).sum())
        line = f"{len(self.tokens) - 2 * sentences:,} words in {sentences:,} sentences"
        if self.dropped:
            most = " ".join(f"{char!r} {n:,}" for char, n in self.dropped.most_common(5))
            line += f"; {self.dropped.total():,} characters left out, most often {most}"
        return line


def build_corpus(lines: Iterable[str]) -> Corpus:
    """Build a corpus from lines of one sentence each, which are normalised; empty lines are skipped.

    Example:
        >>> corpus = build_corpus(["To be,", "or not to be?"])
        >>> corpus.words[3:], corpus.tokens.tolist()
        (('to', 'be', 'or', 'not'), [1, 3, 4, 2, 1, 5, 6, 3, 4, 2])
    """
    ids = {token: index for index, token in enumerate(SPECIAL_TOKENS)}
    tokens = array("i")
    dropped: Counter[str] = Counter()
    for words in sentences(lines, dropped):
        tokens.append(Vocabulary.bos)
        tokens.extend([ids.setdefault(word, len(ids)) for word in words])
        tokens.append(Vocabulary.eos)
    return Corpus(tuple(ids), np.frombuffer(tokens, np.int32) if tokens else np.zeros(0, np.int32), dropped)


def sentences(lines: Iterable[str], dropped: Counter[str] | None = None) -> Iterator[list[str]]:
    """Yield the words of each non-empty line, normalised; removed characters are counted in `dropped`."""
    normalised: set[str] = set()  # words that normalisation does not change
    for line in lines:
        words = line.rstrip("\r\n").split(" ")
        if not normalised.issuperset(words):  # a look-up is far faster than normalising again
            text, removed = normalise(line)
            words = text.split()
            normalised.update(words)
            if dropped is not None:
                dropped.update(removed)
        if words:
            yield words


def read_lines(paths: Iterable[str | Path]) -> Iterator[str]:
    """Yield the lines of text files, plain or compressed (.xz, .gz, .bz2); `-` is stdin.

    Raises:
        DataError: a file is missing, damaged, or not UTF-8 text.
    """
    for path in paths:
        with reading(path, DataError):
            if str(path) == "-":
                yield from _limited(sys.stdin, path)
                continue
            with open_text(path) as file:
                yield from _limited(file, path)


def _limited(file: IO[str], path: str | Path) -> Iterator[str]:
    """Yield the lines of a file; DataError if one is too long."""
    while line := file.readline(MAX_LINE_CHARACTERS):
        if len(line) == MAX_LINE_CHARACTERS:
            raise DataError(
                f"{path}: a line has more than {MAX_LINE_CHARACTERS:,} characters; write a sentence per line"
            )
        yield line


def open_text(path: str | Path) -> IO[str]:
    """Open a text file for reading; the suffix selects the decompression."""
    opener = OPENERS.get(Path(path).suffix, open)
    return opener(path, "rt", encoding="utf-8-sig")  # type: ignore[operator, no-any-return]


def hold_out(source: Path, train: Path, held_out: Path) -> str:
    """Split a text into training and held-out sentences, normalised; every hundredth is held out.

    Returns:
        a line for each file with its number of sentences and words.
    Raises:
        DataError: the text cannot be read.
        FileError: a file cannot be written.
    """
    lines = [" ".join(words) for words in sentences(read_lines([source]))]
    rest = [line for number, line in enumerate(lines) if number % HELD_OUT_INTERVAL]
    return f"{_write(held_out, lines[::HELD_OUT_INTERVAL])}\n{_write(train, rest)}"


def _write(path: Path, lines: list[str]) -> str:
    content = "".join(f"{line}\n" for line in lines).encode()
    write_bytes(path, content, make_folder=True)
    return f"{path}: {len(lines):,} sentences, {len(content.split()):,} words"
