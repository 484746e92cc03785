"""Restore the punctuation and the case of words and of texts."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

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
    from audioseq.nn import States

TASK = "punctuation"
WINDOW_WORDS = 192
"""Words that a model that reads in both directions labels at once."""
CONTEXT_WORDS = 32
"""Further words that it reads on either side of a window."""
BATCH_WINDOWS = 16
"""Windows that are labelled in one batch."""
MAX_CACHED_WORDS = 50_000
"""Distinct words whose subwords are kept in memory."""


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
        letter of the model's alphabet are returned unchanged. The labels of a word depend on a window of
        words around it: the memory does not grow with the text, and a change of the text has no effect on
        words that are further away than `WINDOW_WORDS + CONTEXT_WORDS`. With a model that has `lookahead`,
        they depend on all words before it and on `lookahead` words after it, wherever the text is cut.

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
        written = list(words)
        spoken = [index for index, word in enumerate(words) if any(map(str.isalnum, word))]
        after = None if pauses is None else [*(pauses[index] for index in spoken[:-1]), nan][: len(spoken)]
        labels = self.label([words[index] for index in spoken], after)
        for (index, following), (case, mark) in zip(pairwise([*spoken, len(words)]), labels, strict=True):
            word = words[index]
            if self._is_foreign(word):
                self._warn_of(word)
                continue
            if any(map(has_mark, words[index + 1 : following])):  # a mark that stands alone, such as a dash
                mark = MARKS.index("")
            written[index] = write_word(word, case, mark, self.config.forms)
        return written

    def punctuate_text(self, text: str) -> str:
        """Restore the punctuation and the case of a text; its white space does not change.

        A text with both a capital and a mark is punctuated already, and is returned unchanged.

        Args:
            text: any text.
        """
        words = text.split()
        if has_capital(text) and any(map(has_mark, words)):
            return text
        written = iter(self.punctuate(words))
        return re.sub(r"\S+", lambda _: next(written), text)

    def label(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> Iterator[tuple[int, int]]:
        """Yield the case and the mark of each word, as indices into `CASES` and `MARKS`.

        A word after a full stop is not in lower case. After other marks it may be: "What?" he said.
        """
        starts_sentence = False
        for scores in self.score(words, pauses):
            cases = (scores.cases + self._case_bias).argmax(-1).tolist()
            marks = (scores.marks + self._mark_bias).argmax(-1).tolist()
            for case, mark in zip(cases, marks, strict=True):
                yield (case or CASES.index("title") if starts_sentence else case), mark
                starts_sentence = MARKS[mark] == "."

    def score(self, words: Sequence[str], pauses: Sequence[float] | None = None) -> Iterator[ScoreArrays]:
        """Yield the scores `[T, ...]` of consecutive words, part by part."""
        if self.model.lookahead is None:
            yield from self._score_in_windows(words, pauses)
        else:
            yield from self._score_in_parts(self.model, words, pauses)

    def _score_in_windows(
        self, words: Sequence[str], pauses: Sequence[float] | None
    ) -> Iterator[ScoreArrays]:
        """Yield the scores of consecutive words, from windows that overlap."""
        starts = range(0, len(words), WINDOW_WORDS)
        for first in range(0, len(starts), BATCH_WINDOWS):
            batch = starts[first : first + BATCH_WINDOWS]
            spans = [
                slice(max(0, start - CONTEXT_WORDS), start + WINDOW_WORDS + CONTEXT_WORDS) for start in batch
            ]
            rows = [[self._encode(word) for word in words[span]] for span in spans]
            scores = self.model.score_rows(rows, [None if pauses is None else pauses[span] for span in spans])
            for row, (start, span) in enumerate(zip(batch, spans, strict=True)):
                inner = slice(start - span.start, min(start + WINDOW_WORDS, len(words)) - span.start)
                yield ScoreArrays(scores.cases[row, inner], scores.marks[row, inner])

    def _score_in_parts(
        self, model: PunctuationModel, words: Sequence[str], pauses: Sequence[float] | None
    ) -> Iterator[ScoreArrays]:
        """Yield the scores of consecutive words, from parts of which each continues the state of the last."""
        state: States | None = None
        delay = model.lookahead or 0
        for start in range(0, len(words), WINDOW_WORDS):
            part = slice(start, start + WINDOW_WORDS)
            row = [self._encode(word) for word in words[part]]
            is_last = start + WINDOW_WORDS >= len(words)
            scores, state = model.score_part(row, None if pauses is None else pauses[part], state, is_last)
            skipped, delay = min(delay, len(scores.cases)), max(0, delay - len(scores.cases))
            yield ScoreArrays(scores.cases[skipped:], scores.marks[skipped:])

    def _is_foreign(self, word: str) -> bool:
        return not self._encode(word) and any(map(str.isalpha, word))

    def _warn_of(self, word: str) -> None:
        """Warn of a word in another alphabet, once."""
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"words in another alphabet are left as they are, such as {word[:40]!r}", stacklevel=3
            )

    def _encode(self, word: str) -> list[int]:
        if word not in self._pieces:
            if len(self._pieces) >= MAX_CACHED_WORDS:
                self._pieces.clear()
            self._pieces[word] = self.tokenizer.encode(normalise(word, self.tokenizer.alphabet).text)
        return self._pieces[word]


def load_punctuator(name_or_path: str | Path | None = None, device: str = "auto") -> Punctuator:
    """Load a model that restores punctuation by its name or path; the default model if not given.

    On the CPU, a model that reads in both directions runs in ONNX Runtime, which starts faster than torch.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(name_or_path, TASK, PunctuationConfig)
    tokenizer = restore_tokenizer(stored.header.tokenizer)
    on_cpu = device == "cpu" or (device == "auto" and shutil.which("nvidia-smi") is None)
    if on_cpu and config.model.lookahead is None:
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
