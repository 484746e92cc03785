"""Restore the punctuation and the case of words and of texts."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat, tee
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audioseq.checkpoint import Header
from audioseq.errors import DataError
from audioseq.language.punctuation.batch import ScoreArrays
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.graph import OnnxModel
from audioseq.language.punctuation.labels import CASES, MARKS, NAMES, has_capital, has_mark, write_word
from audioseq.models import open_model
from audioseq.text.subwords import restore_tokenizer
from audioseq.text.tokenizer import Tokenizer, normalise

if TYPE_CHECKING:
    from audioseq.language.punctuation.model import PunctuationModel

TASK = "punctuation"
WINDOW_WORDS = 192
"""Words that are labelled at once."""
CONTEXT_WORDS = 32
"""Further words that are read on either side of a window."""
BATCH_WINDOWS = 16
"""Windows that are labelled in one batch."""
MAX_CACHED_WORDS = 50_000
"""Distinct words whose subwords are kept in memory."""


_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[^\W_]+")
"""What may be a name within a word, such as "nasa" in "(nasa's"."""
_Step = tuple[list[int], float]
"""The subwords of a word, and the pause after it."""


class _Group(NamedTuple):
    """A spoken word and the words without a letter after it, such as dashes."""

    words: list[str]
    pause: float
    """Seconds after the spoken word; NaN for the last one."""
    is_spoken: bool
    """Whether the first word is spoken; a text may begin without one."""


class Punctuator:
    """A trained model that restores punctuation and case.

    Args:
        model: the network, with its weights.
        tokenizer: its subwords.
        config: its config, with the written forms of words in mixed case.
        header: header of the model file.
    """

    def __init__(
        self,
        model: PunctuationModel | OnnxModel,
        tokenizer: Tokenizer,
        config: PunctuationConfig,
        header: Header,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.config = config
        self.header = header
        self._mark_bias = np.array([config.mark_bias.get(name, 0.0) for name in NAMES])
        self._case_bias = np.array([config.case_bias.get(name, 0.0) for name in CASES])
        self._pieces: dict[str, list[int]] = {}
        self._has_warned = False

    def punctuate(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> list[str]:
        """Write words with their case and marks.

        A word that has a capital keeps its case, and one that has a mark gets no other. Words without a
        letter of the model's alphabet and addresses are returned unchanged. The labels of a word depend on a
        window of words around it: the memory of the model does not grow with the text, and a change of the
        text has no effect on words that are further away than `WINDOW_WORDS + CONTEXT_WORDS`.

        Args:
            words: words in order, usually in lower case and without marks.
            pauses: silence after each word in seconds, if it is known; NaN for a word after which it is not.
                That of the last word has no effect.
        Returns:
            a written word for each word. A dash follows its word after a space: "word –".
        Raises:
            DataError: there are not as many pauses as words.
        """
        if pauses is not None and len(pauses) != len(words):
            raise DataError(f"{len(words)} words have {len(pauses)} pauses; give one for each word")
        return list(self._write(words, pauses))

    def punctuate_text(self, text: str) -> str:
        """Restore the punctuation and the case of a text; its white space does not change.

        A text with both a capital and a mark is punctuated already, and is returned unchanged. Others begin
        with a sentence.

        Args:
            text: any text.
        """
        return "".join(self.punctuate_parts(text))

    def punctuate_parts(self, text: str) -> Iterator[str]:
        """Yield what `punctuate_text` returns in parts: the memory does not grow with the text."""
        words = (match[0] for match in _WORD.finditer(text))
        if has_capital(text) and any(map(has_mark, words)):
            yield text
            return
        written = self._write((match[0] for match in _WORD.finditer(text)), begins_sentence=True)
        end = 0
        while matches := list(islice(_WORD.finditer(text, end), WINDOW_WORDS)):
            part = text[end : matches[-1].end()]
            yield _WORD.sub(lambda _: next(written), part)
            end = matches[-1].end()
        yield text[end:]

    def _write(
        self, words: Iterable[str], pauses: Iterable[float] | None = None, begins_sentence: bool = False
    ) -> Iterator[str]:
        """Yield a written word for each word, as soon as enough of those after it are known."""
        groups, labelled = tee(_group(words, repeat(nan) if pauses is None else pauses))
        spoken, known = tee((group.words[0], group.pause) for group in labelled if group.is_spoken)
        scores = self.score((word for word, _ in spoken), (pause for _, pause in known))
        labels = self.choose(scores, begins_sentence)
        for group in groups:
            if group.is_spoken:
                yield self._write_word(group, *next(labels))
            yield from group.words[group.is_spoken :]

    def _write_word(self, group: _Group, case: int, mark: int) -> str:
        word, *others = group.words
        if "/" in word or "@" in word:  # an address
            return word
        if self._is_foreign(word):
            self._warn_of(word)
            return word
        word = _NAME.sub(lambda name: self.config.names.get(name[0], name[0]), word)
        # A mark may stand alone after the word, such as a dash.
        return write_word(word, case, 0 if any(map(has_mark, others)) else mark, self.config.forms)

    def label(self, words: Iterable[str], pauses: Iterable[float] | None = None) -> Iterator[tuple[int, int]]:
        """Yield the case and the mark of each word, as indices into `CASES` and `MARKS`."""
        return self.choose(self.score(words, pauses))

    def choose(
        self, scores: Iterable[ScoreArrays], begins_sentence: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Yield the labels with the highest scores, for consecutive parts of a text.

        A word after a full stop is not in lower case. After other marks it may be: "What?" he said.

        Args:
            scores: scores of the words of each part.
            begins_sentence: whether the first word is known to begin a sentence.
        """
        for part in scores:
            cases = (part.cases + self._case_bias).argmax(-1).tolist()
            marks = (part.marks + self._mark_bias).argmax(-1).tolist()
            for case, mark in zip(cases, marks, strict=True):
                yield (case or CASES.index("title") if begins_sentence else case), mark
                begins_sentence = MARKS[mark] == "."

    def score(self, words: Iterable[str], pauses: Iterable[float] | None = None) -> Iterator[ScoreArrays]:
        """Yield the scores `[T, ...]` of consecutive words, from windows that overlap."""
        steps = zip(map(self.encode, words), repeat(nan) if pauses is None else pauses, strict=False)
        known: list[_Step] = []
        before = 0  # words at the start of `known` that are only context
        while True:
            known += islice(steps, before + BATCH_WINDOWS * WINDOW_WORDS + CONTEXT_WORDS - len(known))
            last = min(before + BATCH_WINDOWS * WINDOW_WORDS, len(known))
            starts = range(before, last, WINDOW_WORDS)
            if not starts:
                return
            spans = [
                slice(max(0, start - CONTEXT_WORDS), start + WINDOW_WORDS + CONTEXT_WORDS) for start in starts
            ]
            rows = [list(zip(*known[span], strict=True)) for span in spans]
            scores = self.model.score_rows([pieces for pieces, _ in rows], [pauses for _, pauses in rows])
            for row, (start, span) in enumerate(zip(starts, spans, strict=True)):
                inner = slice(start - span.start, min(start + WINDOW_WORDS, last) - span.start)
                yield ScoreArrays(scores.cases[row, inner], scores.marks[row, inner])
            before = min(last, CONTEXT_WORDS)
            del known[: last - before]

    def _is_foreign(self, word: str) -> bool:
        return not self.encode(word) and any(map(str.isalpha, word))

    def _warn_of(self, word: str) -> None:
        """Warn of a word in another alphabet, once."""
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"words in another alphabet are left as they are, such as {word[:40]!r}", stacklevel=3
            )

    def encode(self, word: str) -> list[int]:
        """Return the subwords of a word."""
        if word not in self._pieces:
            if len(self._pieces) >= MAX_CACHED_WORDS:
                self._pieces.clear()
            self._pieces[word] = self.tokenizer.encode(normalise(word, self.tokenizer.alphabet).text)
        return self._pieces[word]


def _group(words: Iterable[str], pauses: Iterable[float]) -> Iterator[_Group]:
    group, after, is_spoken = list[str](), nan, False
    for word, pause in zip(words, pauses, strict=False):
        if any(map(str.isalnum, word)):
            if group:
                yield _Group(group, after, is_spoken)
            group, after, is_spoken = [word], pause, True
        else:
            group.append(word)
    if group:
        yield _Group(group, nan, is_spoken)


def load_punctuator(name_or_path: str | Path | None = None, device: str = "auto") -> Punctuator:
    """Load a model that restores punctuation by its name or path; the default model if not given.

    On the CPU, it runs in ONNX Runtime, which starts faster than torch.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(name_or_path, TASK, PunctuationConfig)
    tokenizer = restore_tokenizer(stored.header.tokenizer)
    if device == "cpu" or (device == "auto" and shutil.which("nvidia-smi") is None):
        return Punctuator(OnnxModel(config, stored), tokenizer, config, stored.header)

    from audioseq.device import choose_device
    from audioseq.language.punctuation.model import build

    network = stored.restore(lambda: build(config, tokenizer.size)).to(choose_device(device)).eval()
    return Punctuator(network, tokenizer, config, stored.header)


def punctuate_text(text: str, model: str | Path | None = None) -> str:
    """Restore the punctuation and the case of a text.

    The model is loaded on each call. For many texts, use `load_punctuator`.

    Args:
        text: any text; one that has a capital and a mark is returned unchanged.
        model: name of a model or path of a model file; the default model if not given.
    Raises:
        CheckpointError: there is no such model, or its file is damaged or made for another task.
    """
    return load_punctuator(model).punctuate_text(text)
