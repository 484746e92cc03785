"""Text to words and word ids: plain or compressed files, one sentence a line."""

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
from audioseq.files import write_atomically
from audioseq.language.vocabulary import MARKS, START, Vocabulary
from audioseq.text.tokenizer import normalise

OPENERS = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
END = MARKS.index("</s>")
HELD_OUT = 100
"""One sentence in so many is not trained on."""


@dataclass(frozen=True)
class Corpus:
    """Sentences as ids of all their words."""

    words: tuple[str, ...]
    """Each word of the text once, after `<unk>`, `<s>` and `</s>`."""
    tokens: NDArray[np.int32]
    """Places in `words`, each sentence between `<s>` and `</s>` `[N]`."""
    dropped: Counter[str]
    """Characters that were left out, with their number."""

    def counts(self) -> dict[str, int]:
        """Return how often each word occurs."""
        numbers = np.bincount(self.tokens, minlength=len(self.words))
        return dict(zip(self.words[len(MARKS) :], numbers[len(MARKS) :].tolist(), strict=True))

    def encode(self, vocabulary: Vocabulary) -> NDArray[np.int32]:
        """Return the text in ids of a vocabulary `[N]`."""
        return np.array(vocabulary.encode(self.words), np.int32)[self.tokens]

    def summary(self) -> str:
        """Tell in one line what was read, and what was left out."""
        sentences = int((self.tokens == MARKS.index(START)).sum())
        line = f"{len(self.tokens) - 2 * sentences:,} words in {sentences:,} sentences"
        if self.dropped:
            most = " ".join(f"{char!r} {n:,}" for char, n in self.dropped.most_common(5))
            line += f"; {self.dropped.total():,} characters left out, most often {most}"
        return line


def gather(lines: Iterable[str]) -> Corpus:
    """Read sentences, one a line, normalised; empty ones are skipped.

    Example:
        >>> corpus = gather(["To be,", "or not to be?"])
        >>> corpus.words[3:], corpus.tokens.tolist()
        (('to', 'be', 'or', 'not'), [1, 3, 4, 2, 1, 5, 6, 3, 4, 2])
    """
    ids = {mark: index for index, mark in enumerate(MARKS)}
    tokens = array("i")
    dropped: Counter[str] = Counter()
    for words in sentences(lines, dropped):
        tokens.append(ids[START])
        tokens.extend([ids.setdefault(word, len(ids)) for word in words])
        tokens.append(END)
    return Corpus(tuple(ids), np.frombuffer(tokens, np.int32) if tokens else np.zeros(0, np.int32), dropped)


def sentences(lines: Iterable[str], dropped: Counter[str] | None = None) -> Iterator[list[str]]:
    """Yield the words of each line that has any, normalised; what was left out is counted in `dropped`."""
    plain: set[str] = set()
    for line in lines:
        words = line.rstrip("\r\n").split(" ")
        if not plain.issuperset(words):  # else there is nothing to normalise, which takes far longer
            text, lost = normalise(line)
            words = text.split()
            plain.update(words)
            if dropped is not None:
                dropped.update(lost)
        if words:
            yield words


def read(paths: Iterable[str | Path]) -> Iterator[str]:
    """Yield the lines of text files, also of compressed ones (.xz, .gz, .bz2); `-` is stdin.

    Raises:
        DataError: a file is missing, damaged, or not UTF-8 text.
    """
    for path in paths:
        try:
            if str(path) == "-":
                yield from sys.stdin
                continue
            with open_text(path) as file:
                yield from file
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None
        except (OSError, EOFError, lzma.LZMAError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise DataError(f"{path}: cannot be read ({reason}); check the path") from None


def open_text(path: str | Path) -> IO[str]:
    """Open a text file for reading, decompressing it as its suffix says."""
    opener = OPENERS.get(Path(path).suffix, open)
    return opener(path, "rt", encoding="utf-8-sig")  # type: ignore[operator, no-any-return]


def hold_out(source: Path, train: Path, held_out: Path) -> str:
    """Write the normalised sentences of a text, every hundredth to a file of its own.

    Returns:
        a line for each file: how many sentences and words it has.
    Raises:
        DataError: the text cannot be read.
        CheckpointError: a file cannot be written.
    """
    lines = [" ".join(words) for words in sentences(read([source]))]
    rest = [line for number, line in enumerate(lines) if number % HELD_OUT]
    return f"{_save(held_out, lines[::HELD_OUT])}\n{_save(train, rest)}"


def _save(path: Path, lines: list[str]) -> str:
    content = "".join(f"{line}\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: file.write(content))
    return f"{path}: {len(lines):,} sentences, {len(content.split()):,} words"
