"""Language for the training loop: sentences to streams of tokens, windows to a loss, and perplexity."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audioseq import checkpoint, models
from audioseq.checkpoint import Header
from audioseq.config import read_recipe, resolve
from audioseq.errors import DataError
from audioseq.language import corpus
from audioseq.language.config import LanguageConfig
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.model import LanguageModel, build, log_probs
from audioseq.language.units import Units, restore
from audioseq.language.vocabulary import Vocabulary
from audioseq.text.subwords import SubwordTokenizer
from audioseq.text.tokenizer import CharTokenizer, normalise
from audioseq.training import Loss, TrainingResult, fit

SAMPLE = 20_000
"""Sentences, spread evenly, that subwords are learnt from: more change little and take long."""


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
    """Train a language model as a recipe says.

    Args:
        source: a recipe's `config.toml`.
        run_dir: where models, metrics and training state go.
        overrides: changes to the recipe, such as `training.epochs=2`.
        valid: text to validate on, instead of the recipe's.
        start_from: name or path of a model whose tokens and fitting weights are taken.
        resume: go on with the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        ConfigError, DataError, CheckpointError: what is wrong with the recipe, the texts or the model.
    """
    config = resolve(LanguageConfig, read_recipe(source, valid), overrides, smoke=smoke, where=str(source))
    units = None
    if start_from is not None:
        start_from = models.resolve(start_from, task="language")
        units = restore(checkpoint.load(start_from, task="language").header.tokenizer)
    texts, held_out = (read_text(paths, config.alphabet) for paths in (config.data.train, config.data.valid))
    task = LanguageTask(config, texts, held_out, units)
    return fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )


def read_text(paths: Iterable[Path], alphabet: str) -> list[str]:
    """Read the sentences of text files, one a line, normalised; empty lines are left out.

    Raises:
        DataError: a file cannot be read, or is no UTF-8 text.
    """
    known = set(alphabet)
    lines = (" ".join(line.split()) for line in corpus.read(paths))
    # Normalising takes far longer than to see that there is nothing to do.
    plain = (line if known.issuperset(line) else normalise(line, alphabet).text for line in lines)
    return list(filter(None, plain))


class Window(NamedTuple):
    """A stretch of each stream."""

    tokens: Tensor
    """Ids `[B, T]`."""
    targets: Tensor
    """The token that follows each of them `[B, T]`."""
    begins: bool
    """Whether the streams begin here."""


class LanguageTask:
    """A language model, as the training loop wants it.

    In each epoch the sentences are put into another order and cut into parallel streams. A batch is a window
    of all streams, and the next one goes on where it ended, with what was remembered: gradients are cut off
    at the window's edge, memory is not. What stands before a sentence is any other, so the model learns that
    sentences stand for themselves, as those to be scored do. Under torchrun each process has streams of its
    own: the same places in every batch.

    Args:
        config: the recipe.
        train, valid: normalised sentences.
        units: the tokens, where they are known; else they are taken from the texts.
    Raises:
        DataError: there is too little text.
    """

    name = "language"
    metric = "perplexity"

    def __init__(
        self, config: LanguageConfig, train: Sequence[str], valid: Sequence[str], units: Units | None = None
    ) -> None:
        self.config, self.valid = config, list(valid)
        if not train or not valid:
            raise DataError(
                "no sentences to train or to validate on; name texts in data.train and data.valid"
            )
        self.units = units or learn_units(config, train)
        self.tokens, self.starts = _encode(self.units, train)
        self.windows = (len(self.tokens) - 1) // (config.data.streams * config.data.window)
        if not self.windows:
            raise DataError(
                f"{len(self.tokens)} tokens to train on are too few for one window of "
                f"{config.data.streams} streams; set data.streams and data.window lower"
            )
        torch.manual_seed(config.training.seed)
        self.model: LanguageModel = build(config, self.units)
        self.carry: tuple[Tensor, ...] = ()
        self._stream: tuple[int, NDArray[np.integer]] = -1, self.tokens

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the windows of an epoch, each of all streams: of stream s, window w is `w * streams + s`."""
        streams = self.config.data.streams
        return [list(range(w * streams, (w + 1) * streams)) for w in range(self.windows)]

    def collate(self, indices: Sequence[int], epoch: int) -> Window:
        """Cut a window out of the streams."""
        data = self.config.data
        window = indices[0] // data.streams
        starts = [(i % data.streams * self.windows + i // data.streams) * data.window for i in indices]
        stream = self._shuffled(epoch)
        rows = torch.tensor(
            np.stack([stream[start : start + data.window + 1] for start in starts]).astype(np.int64)
        )
        return Window(rows[:, :-1], rows[:, 1:], window == 0)

    def loss(self, batch: Window, model: nn.Module) -> Loss:
        """Return the negative log probability of all targets, in nats; its weight is their number."""
        scores, state = model(batch.tokens, () if batch.begins else self.carry)
        self.carry = tuple(part.detach() for part in state)
        return Loss(-log_probs(scores, batch.targets).sum(), batch.targets.numel())

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the perplexity of a word, or the end of a sentence, and nats of a token.

        Each sentence stands for itself. Of words as tokens, those outside the vocabulary do not count.
        """
        scores = sentence_scores(model, self.units, self.valid)
        known = self.units.source if isinstance(self.units.source, Vocabulary) else None
        tokens = sum(len(each) for each in scores)
        nats = -sum(map(sum, scores)) / tokens
        return {"perplexity": word_perplexity(self.units, self.valid, scores, known).perplexity, "nats": nats}

    def header(self, card: dict[str, object]) -> Header:
        """Return what the model file says about the model."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("language", config, tokenizer=self.units.to_dict(), card=card)

    def _shuffled(self, epoch: int) -> NDArray[np.integer]:
        """Return the tokens of all sentences in the order of an epoch, an end before the first."""
        if self._stream[0] != epoch:
            lengths = np.diff(self.starts)
            order = np.random.default_rng((self.config.training.seed, epoch)).permutation(len(lengths))
            shifts = self.starts[order] - np.concatenate([[0], np.cumsum(lengths[order])[:-1]])
            places = np.repeat(shifts, lengths[order]) + np.arange(len(self.tokens) - 1)
            stream = np.concatenate([self.tokens[:1], self.tokens[places + 1]])
            self._stream = epoch, stream
        return self._stream[1]


def learn_units(config: LanguageConfig, texts: Sequence[str]) -> Units:
    """Return the tokens that a recipe asks for, learnt from its sentences where they must be."""
    if config.words:
        return Units(Vocabulary.from_counts(Counter(w for text in texts for w in text.split()), config.words))
    if config.subwords:
        sample = texts[:: max(1, len(texts) // SAMPLE)]
        return Units(SubwordTokenizer.learn(sample, config.subwords, config.alphabet))
    return Units(CharTokenizer(config.alphabet))


def _encode(units: Units, texts: Sequence[str]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Return an end, and the tokens of each sentence with its end; and where behind the first each begins."""
    tokens, starts = array("i", [units.end]), array("q", [0])
    for text in texts:
        tokens.extend(units.encode(text))
        tokens.append(units.end)
        starts.append(len(tokens) - 1)
    kind = np.uint16 if units.size <= 2**16 else np.int32
    return np.frombuffer(tokens, np.int32).astype(kind), np.frombuffer(starts, np.int64)
