"""N-gram models as ARPA text files, which all programs for them read and write."""

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
from audioseq.files import write_atomically
from audioseq.language.corpus import read as read_lines
from audioseq.language.ngram.model import NEVER, NGram
from audioseq.language.vocabulary import MARKS, Vocabulary

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}
LN10 = math.log(10)


def write(path: str | Path, model: NGram) -> None:
    """Write a model, whole or not at all; compressed if the name ends so (.gz, .xz).

    Raises:
        CheckpointError: the file cannot be written.
    """
    text = "".join(f"{line}\n" for line in _lines(model)).encode()
    compress = COMPRESSORS.get(Path(path).suffix)
    write_atomically(path, lambda file: file.write(compress(text) if compress else text))


def read(path: str | Path) -> NGram:
    """Read a model. A word or mark that every model has and the file lacks is there, but never comes.

    Raises:
        CheckpointError: the file is missing or damaged, or lacks what its longer n-grams begin with.
    """
    try:
        return _Reader(path).model()
    except DataError as error:
        raise CheckpointError(str(error)) from None


def _lines(model: NGram) -> Iterator[str]:
    yield "\\data\\"
    yield from (f"ngram {order}={size}" for order, size in enumerate(model.sizes, 1))
    words = model.vocabulary.words
    spelt = [""]  # of each node that is one word shorter
    before = 0  # the first of them
    for order, (first, end) in enumerate(pairwise(model.bounds), 1):
        contexts, last = np.divmod(model.keys[first:end], len(words))
        spelt = [
            f"{spelt[context]} {words[word]}".lstrip()
            for context, word in zip((contexts - before).tolist(), last.tolist(), strict=True)
        ]
        log_probs = (model.log_probs[first:end] / LN10).tolist()
        yield f"\n\\{order}-grams:"
        if order == model.order:
            yield from (f"{p:.7g}\t{text}" for p, text in zip(log_probs, spelt, strict=True))
        else:
            weights = (model.backoffs[first:end] / LN10).tolist()
            rows = zip(log_probs, spelt, weights, strict=True)
            yield from (f"{p:.7g}\t{text}\t{weight:.7g}" for p, text, weight in rows)
        before = first
    yield "\n\\end\\"


class _Reader:
    """One pass over the lines of a file; it remembers where it is, for what it complains of."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.number = 0
        self.lines = self._tell(read_lines([path]))

    def model(self) -> NGram:
        sizes = self._sizes()
        keys, log_probs, backoffs = [np.array([-1])], [np.zeros(1)], [np.zeros(1)]
        grams: dict[tuple[int, ...], int] = {(): 0}  # nodes of the contexts
        first = 1
        for order, size in enumerate(sizes, 1):
            rows = self._section(order, size, order < len(sizes))
            if order == 1:
                rows += [(NEVER, [mark], 0.0) for mark in MARKS if all(row[1] != [mark] for row in rows)]
                listed = [row[1][0] for row in rows]
                if len(set(listed)) < len(listed):
                    self._complain("a word is there twice")
                vocabulary = Vocabulary((*MARKS, *(word for word in listed if word not in MARKS)))
            spelt = [self._ids(vocabulary, words) for _, words, _ in rows]
            try:
                contexts = [grams[ids[:-1]] for ids in spelt]
            except KeyError as error:
                missing = " ".join(vocabulary.words[index] for index in error.args[0])
                self._complain(f"{order}-grams begin with {missing!r}, which is not among the shorter ones")
            own = np.array(contexts, np.int64) * len(vocabulary) + [ids[-1] for ids in spelt]
            rising = np.argsort(own)
            keys.append(own[rising])
            log_probs.append(np.array([row[0] for row in rows])[rising])
            backoffs.append(np.array([row[2] for row in rows])[rising])
            grams = {spelt[row]: first + place for place, row in enumerate(rising.tolist())}
            first += len(rows)
        together = np.concatenate(keys)
        if not (np.diff(together) > 0).all():
            self._complain("an n-gram is there twice")
        return NGram(
            vocabulary,
            together,
            np.concatenate(log_probs).astype(np.float32),
            np.concatenate(backoffs[:-1]).astype(np.float32),
            tuple(len(part) for part in keys[1:]),
        )

    def _tell(self, lines: Iterator[str]) -> Iterator[str]:
        for self.number, line in enumerate(lines, 1):
            if line.strip():
                yield line.rstrip("\r\n")

    def _sizes(self) -> list[int]:
        for line in self.lines:
            if line.strip() == "\\data\\":
                break
        else:
            self._complain(r"has no \data\ section")
        sizes: list[int] = []
        for line in self.lines:
            if line.strip() == "\\1-grams:":
                return sizes or self._complain("counts no n-grams")
            name, _, size = line.partition("=")
            if name.split() != ["ngram", str(len(sizes) + 1)] or not size.strip().isdecimal():
                self._complain(f"{line[:60]!r} is no count of {len(sizes) + 1}-grams")
            sizes.append(int(size))
        self._complain("ends before its n-grams")

    def _section(self, order: int, size: int, longer: bool) -> list[tuple[float, list[str], float]]:
        """Read the n-grams of one length, and the heading of what follows."""
        rows: list[tuple[float, list[str], float]] = []
        following = f"\\{order + 1}-grams:" if longer else "\\end\\"
        for line in self.lines:
            if line.startswith("\\"):
                if line.strip() != following or len(rows) != size:
                    self._complain(f"has {len(rows)} {order}-grams where it says {size}, then {line[:20]!r}")
                return rows
            parts = line.split()
            try:
                log_prob, words = float(parts[0]), parts[1 : order + 1]
                weight = float(parts[order + 1]) if len(parts) > order + 1 else 0.0
            except ValueError:
                self._complain(f"{line[:60]!r} is no {order}-gram")
            if len(words) < order or len(parts) > order + 2 or not (log_prob <= 0 and math.isfinite(weight)):
                self._complain(f"{line[:60]!r} is no {order}-gram")
            rows.append((max(log_prob * LN10, NEVER), words, weight * LN10))
        self._complain(f"ends within its {order}-grams")

    def _ids(self, vocabulary: Vocabulary, words: Sequence[str]) -> tuple[int, ...]:
        ids = tuple(vocabulary.encode(words))
        if vocabulary.unk in ids and any(word not in vocabulary for word in words):
            self._complain(f"{' '.join(words)!r} has a word that is not among the single ones")
        return ids

    def _complain(self, what: str) -> NoReturn:
        raise CheckpointError(f"{self.path}, line {self.number}: {what}; get or make the ARPA file again")
