"""Punctuation as a training task: examples with errors and pauses, loss and F1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import read_recipe, resolve
from audioseq.data import length_batches, pad
from audioseq.errors import CheckpointError
from audioseq.language.punctuation.augment import read_errors, read_pauses
from audioseq.language.punctuation.batch import MAX_PIECES, UNKNOWN_PAUSE, pause_class
from audioseq.language.punctuation.books import Books, Labels, cut_examples, read_books
from audioseq.language.punctuation.config import PunctuationConfig
from audioseq.language.punctuation.labels import LabelledWord
from audioseq.language.punctuation.metrics import Score
from audioseq.language.punctuation.model import PunctuationModel, Words, build
from audioseq.text.subwords import SubwordTokenizer, restore_tokenizer
from audioseq.text.tokenizer import Tokenizer, normalise
from audioseq.training import HasConfig, Loss, TrainingResult, fit

IGNORED = -100
"""Target of the padding."""
EMBEDDING_SCALE = 0.3
"""Standard deviation of the embeddings that come from a language model."""


def train(
    source: Path,
    *,
    run_dir: Path,
    overrides: Sequence[str] = (),
    valid: Path | None = None,
    start_from: str | Path | None = None,
    resume: bool = False,
    smoke: bool = False,
    device: str = "auto",
) -> TrainingResult:
    """Train a model that restores punctuation and case from a recipe.

    Args:
        source: a recipe's `config.toml`.
        run_dir: run directory for models, metrics and training state.
        overrides: changes to the recipe, such as `training.epochs=2`.
        valid: text to validate on, instead of the recipe's.
        start_from: name or path of a model that provides the subwords and all weights of matching shape.
        resume: resume the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError: the recipe is invalid.
        DataError: a text cannot be read, or is too short.
        CheckpointError: a model cannot be read.
    """
    config = resolve(PunctuationConfig, read_recipe(source, valid), overrides, smoke=smoke, where=str(source))
    tokenizer = None
    if start_from is not None:
        start_from = models.resolve(start_from, task="punctuation")
        stored = checkpoint.load(start_from, task="punctuation").header
        tokenizer = restore_tokenizer(stored.tokenizer)
    task = PunctuationTask(config, tokenizer)
    return fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )


class Batch(NamedTuple):
    """Texts with the labels of their words."""

    words: Words
    cases: Tensor
    """`[B, T]`; `IGNORED` on the padding."""
    marks: Tensor
    """`[B, T]`."""


class PunctuationTask(HasConfig):
    """Labelling of words for the training loop.

    Each epoch cuts the books into other examples. Some get the errors of a recogniser, some get pauses.

    Args:
        config: the recipe.
        tokenizer: the subwords; from a language model or learnt if not given.
    Raises:
        DataError: a text cannot be read, or is too short.
        CheckpointError: the language model that provides the embeddings cannot be read.
    """

    name = "punctuation"
    metric = "nats"

    def __init__(self, config: PunctuationConfig, tokenizer: Tokenizer | None = None) -> None:
        self.books = read_books(config.data.train)
        self.config = config.model_copy(update={"forms": self.books.forms})
        source = config.embeddings if tokenizer is None else None
        stored = None if source is None else checkpoint.load(models.resolve(source, "language"))
        if stored is not None:
            tokenizer = restore_tokenizer(stored.header.tokenizer)
        self.tokenizer = tokenizer or _learn_subwords(self.books, config.subwords)
        held_out = read_books(config.data.valid, self.books.words)
        self.words, self.valid = held_out.words, held_out.books
        self._pieces = _encode(self.tokenizer, self.words)
        data = config.data
        self._errors = None if data.errors is None else read_errors(data.errors, self.books.words)
        self._pauses = None if data.pauses is None else read_pauses(data.pauses)
        torch.manual_seed(config.training.seed)
        self.model: PunctuationModel = build(config, self.tokenizer.size)
        if stored is not None:
            with torch.no_grad():
                self.model.embedding.weight.copy_(_reduce(stored, config.model.embedding_size))
        self._cut: tuple[int, list[tuple[int, int, int]]] = -1, []

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch: indices of examples of similar length."""
        lengths = [float(end - start) for _, start, end in self._examples(epoch)]
        seed, words = self.config.training.seed, self.config.data.batch_words
        return length_batches(lengths, words, seed=seed, epoch=epoch, shortest_first=False)

    def collate(self, indices: Sequence[int], epoch: int) -> Batch:
        """Return examples with errors and pauses."""
        examples = self._examples(epoch)
        texts, pauses = [], []
        for index in indices:
            book, start, end = examples[index]
            random = np.random.default_rng((self.config.training.seed, epoch, index))
            text = self.books.books[book][start:end]
            with_errors, with_pauses = random.random(2) < (
                self.config.data.error_share, self.config.data.pause_share,
            )  # fmt: skip
            if self._errors is not None and with_errors:
                text = self._errors.corrupt(text, random)
            texts.append(text)
            found = [UNKNOWN_PAUSE] * len(text)
            if self._pauses is not None and with_pauses:
                found = [pause_class(pause) for pause in self._pauses.draw(text.marks.tolist(), random)]
                found[-1] = UNKNOWN_PAUSE  # as after the last word of a recording
            pauses.append(found)
        return self._batch(texts, pauses)

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Compute the negative log-likelihood of both labels in nats; the weight is the number of words."""
        scores = self.model(batch.words)
        pairs = (scores.cases, batch.cases), (scores.marks, batch.marks)
        nats = [
            nn.functional.cross_entropy(
                each.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
            )
            for each, labels in pairs
        ]
        return Loss(sum(nats, start=torch.zeros(())), int(batch.words.lengths.sum()))

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Compute the nats per word and F1 on the validation texts, without errors and pauses."""
        random = np.random.default_rng(self.config.training.seed)
        spans = cut_examples(self.valid, self.config.data.words, random)
        spans.sort(key=lambda span: span[2] - span[1])
        score, total, words = Score(), 0.0, 0
        per_batch = max(1, self.config.data.batch_words // self.config.data.words)
        for start in range(0, len(spans), per_batch):
            texts = [self.valid[book][first:end] for book, first, end in spans[start : start + per_batch]]
            batch = self._batch(texts, [[UNKNOWN_PAUSE] * len(text) for text in texts])
            loss = self.loss(batch, model)
            total, words = total + float(loss.total), words + loss.weight
            scores = self.model(batch.words)
            for row, text in enumerate(texts):
                labels = [
                    LabelledWord(self.words[word], case, mark, "")
                    for word, case, mark in zip(
                        text.words.tolist(), text.cases.tolist(), text.marks.tolist(), strict=True
                    )
                ]
                found = (each[row, : len(text)].argmax(1).tolist() for each in (scores.cases, scores.marks))
                score.add(labels, zip(*found, strict=True))
        f1 = {name.replace(" ", "_"): round(counts.f1, 4) for name, counts in score.labels.items()}
        return {"nats": total / words, "macro_f1": round(score.macro_f1, 4), **f1}

    def header(self, card: dict[str, object]) -> Header:
        """Return the header of the model file."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header(self.name, config, tokenizer=self.tokenizer.to_dict(), card=card)

    def _examples(self, epoch: int) -> list[tuple[int, int, int]]:
        if self._cut[0] != epoch:
            random = np.random.default_rng((self.config.training.seed, epoch))
            self._cut = epoch, cut_examples(self.books.books, self.config.data.words, random)
        return self._cut[1]

    def _batch(self, texts: Sequence[Labels], pauses: Sequence[Sequence[int]]) -> Batch:
        pieces, lengths = pad([torch.from_numpy(self._pieces[text.words].astype(np.int64)) for text in texts])
        pieces = pieces[:, :, : max(1, int((pieces > 0).any(0).any(0).sum()))]
        cases, marks = (
            nn.utils.rnn.pad_sequence([torch.from_numpy(each) for each in column], True, IGNORED)
            for column in ([text.cases for text in texts], [text.marks for text in texts])
        )
        words = Words(pieces, pad([torch.tensor(each) for each in pauses])[0], lengths)
        return Batch(words, cases, marks)


def _learn_subwords(books: Books, size: int) -> SubwordTokenizer:
    texts = [" ".join(normalise(books.words[word]).text for word in book.words) for book in books.books]
    return SubwordTokenizer.learn(texts, size)


def _encode(tokenizer: Tokenizer, words: Sequence[str]) -> np.ndarray:
    """Return the subwords of each word `[N, MAX_PIECES]`, padded with 0."""
    table = np.zeros((len(words), MAX_PIECES), np.uint16)
    for row, word in zip(table, words, strict=True):
        pieces = tokenizer.encode(normalise(word, tokenizer.alphabet).text)[:MAX_PIECES]
        row[: len(pieces)] = pieces
    return table


def _reduce(stored: checkpoint.Checkpoint, size: int) -> Tensor:
    """Return the embeddings of a language model, reduced to their principal components `[V, size]`."""
    weight = stored.weights.get("embedding.weight")
    if weight is None or weight.shape[1] < size:
        raise CheckpointError(
            f"{stored.path}: has no embeddings of {size} features; lower model.embedding_size"
        )
    centred = weight - weight.mean(0)
    components = torch.linalg.eigh(centred.T @ centred)[1][:, -size:].flip(1)
    reduced: Tensor = centred @ components
    reduced = reduced * (EMBEDDING_SCALE / reduced.std())
    reduced[0] = 0.0
    return reduced
