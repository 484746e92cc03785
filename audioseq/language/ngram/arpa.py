"""Read and write n-gram models as ARPA text, the common format of n-gram toolkits."""

from __future__ import annotations

import gzip
import lzma
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NoReturn

import numpy as np

from audioseq.errors import CheckpointError, DataError
from audioseq.files import write_bytes
from audioseq.language import corpus
from audioseq.language.ngram.model import LOG_ZERO, NGram
from audioseq.language.vocabulary import SPECIAL_TOKENS, Vocabulary

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}
LN10 = math.log(10)
MAX_WEIGHT = 1e30
"""Back-off weights of at least this (log10) are damaged, and overflow in fp32."""
MAX_COUNT_DIGITS = 20
"""Largest number of digits in a count of n-grams."""


def write(path: str | Path, model: NGram) -> None:
    """Write a model atomically; compressed with the suffix .gz or .xz.

    Raises:
        FileError: the file cannot be written.
    """
    text = "".join(f"{line}\n" for line in _lines(model)).encode()
    compress = COMPRESSORS.get(Path(path).suffix)
    write_bytes(path, compress(text) if compress else text)


def read(path: str | Path) -> NGram:
    """Read a model; special tokens that are missing in the file get probability zero.

    Raises:
        CheckpointError: the file is missing or damaged, or lacks the context of an n-gram.
    """
    try:
        return _Reader(path).read()
    except DataError as error:
        raise CheckpointError(str(error)) from None


def _lines(model: NGram) -> Iterator[str]:
    yield "\\data\\"
    yield from (f"ngram {order}={size}" for order, size in enumerate(model.sizes, 1))
    words = model.vocabulary.words
    ngrams = [""]  # the text of each n-gram of the order below
    first_context = 0
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        contexts, last = np.divmod(model.keys[first:end], len(words))
        ngrams = [
            f"{ngrams[context]} {words[word]}".lstrip()
            for context, word in zip((contexts - first_context).tolist(), last.tolist(), strict=True)
        ]
        log_probs = (model.log_probs[first:end] / LN10).tolist()
        weights = [f"\t{weight:.7g}" for weight in (model.backoffs[first:end] / LN10).tolist()]
        rows = zip(log_probs, ngrams, weights or [""] * len(ngrams), strict=True)  # none in the highest order
        yield f"\n\\{order}-grams:"
        yield from (f"{p:.7g}\t{text}{weight}" for p, text, weight in rows)
        first_context = first
    yield "\n\\end\\"


class _Reader:
    """A single pass over the lines of a file; keeps the line number for error messages."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.number = 0
        self.lines = self._numbered(corpus.read_lines([path]))

    def read(self) -> NGram:
        sizes = self._read_sizes()
        keys, log_probs, backoffs = [np.array([-1])], [np.zeros(1)], [np.zeros(1)]
        nodes: dict[tuple[int, ...], int] = {(): 0}  # of the order below
        first = 1
        for order, size in enumerate(sizes, 1):
            rows = self._read_section(order, size, order < len(sizes))
            if order == 1:
                listed = {row[1][0] for row in rows}
                if len(listed) < len(rows):
                    self._fail("a word occurs twice")
                rows += [(LOG_ZERO, [token], 0.0) for token in SPECIAL_TOKENS if token not in listed]
                words = (row[1][0] for row in rows)
                vocabulary = Vocabulary((*SPECIAL_TOKENS, *(w for w in words if w not in SPECIAL_TOKENS)))
            ngrams = [self._encode(vocabulary, words) for _, words, _ in rows]
            try:
                contexts = [nodes[ids[:-1]] for ids in ngrams]
            except KeyError as error:
                missing = " ".join(vocabulary.words[index] for index in error.args[0])
                self._fail(f"{order}-grams begin with {missing!r}, which is not among the {order - 1}-grams")
            last_words = np.array([ids[-1] for ids in ngrams], np.int64)
            own_keys = np.array(contexts, np.int64) * len(vocabulary) + last_words
            ascending = np.argsort(own_keys)
            keys.append(own_keys[ascending])
            log_probs.append(np.array([row[0] for row in rows])[ascending])
            backoffs.append(np.array([row[2] for row in rows])[ascending])
            nodes = {ngrams[row]: first + index for index, row in enumerate(ascending.tolist())}
            first += len(rows)
        all_keys = np.concatenate(keys)
        if not (np.diff(all_keys) > 0).all():
            self._fail("an n-gram occurs twice")
        return NGram(
            vocabulary,
            all_keys,
            np.concatenate(log_probs).astype(np.float32),
            np.concatenate(backoffs[:-1]).astype(np.float32),
            tuple(len(part) for part in keys[1:]),
        )

    def _numbered(self, lines: Iterator[str]) -> Iterator[str]:
        for self.number, line in enumerate(lines, 1):
            if line.strip():
                yield line.rstrip("\r\n")

    def _read_sizes(self) -> list[int]:
        for line in self.lines:
            if line.strip() == "\\data\\":
                break
        else:
            self._fail(r"no \data\ section")
        sizes: list[int] = []
        for line in self.lines:
            if line.strip() == "\\1-grams:":
                return sizes or self._fail(r"no n-gram counts in the \data\ section")
            name, _, size = line.partition("=")
            known = name.split() == ["ngram", str(len(sizes) + 1)]
            if not known or not size.strip().isdecimal() or len(size) > MAX_COUNT_DIGITS:
                self._fail(f"{line[:60]!r} is not a count of {len(sizes) + 1}-grams")
            sizes.append(int(size))
        self._fail("the file ends before the n-grams")

    def _read_section(self, order: int, size: int, longer: bool) -> list[tuple[float, list[str], float]]:
        """Read the n-grams of one order, and the heading after them."""
        rows: list[tuple[float, list[str], float]] = []
        following = f"\\{order + 1}-grams:" if longer else "\\end\\"
        for line in self.lines:
            if line.startswith("\\"):
                if line.strip() != following or len(rows) != size:
                    self._fail(f"{len(rows)} {order}-grams instead of {size}, then {line[:20]!r}")
                return rows
            parts = line.split()
            try:
                log_prob, words = float(parts[0]), parts[1 : order + 1]
                weight = float(parts[order + 1]) if len(parts) > order + 1 else 0.0
            except ValueError:
                self._fail(f"{line[:60]!r} is not a {order}-gram")
            possible = log_prob <= 0 and abs(weight) < MAX_WEIGHT
            if len(words) < order or len(parts) > order + 2 or not possible:
                self._fail(f"{line[:60]!r} is not a {order}-gram")
            rows.append((max(log_prob * LN10, LOG_ZERO), words, weight * LN10))
        self._fail(f"the file ends within the {order}-grams")

    def _encode(self, vocabulary: Vocabulary, words: Sequence[str]) -> tuple[int, ...]:
        ids = tuple(vocabulary.encode(words))
        if vocabulary.unk in ids and any(word not in vocabulary for word in words):
            self._fail(f"a word of {' '.join(words)!r} is not among the 1-grams")
        return ids

    def _fail(self, reason: str) -> NoReturn:
        raise CheckpointError(f"{self.path}, line {self.number}: {reason}; download or create it again")
