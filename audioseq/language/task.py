"""Language modelling as a training task: token streams, windows, loss and perplexity."""

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
from audioseq.device import choose_device
from audioseq.errors import DataError
from audioseq.language import corpus
from audioseq.language.config import LanguageConfig
from audioseq.language.metrics import sentence_scores, word_perplexity
from audioseq.language.model import LanguageModel, build, log_probs
from audioseq.language.units import Units, restore_units
from audioseq.language.vocabulary import Vocabulary
from audioseq.text.subwords import SubwordTokenizer
from audioseq.text.tokenizer import CharTokenizer, normalise
from audioseq.training import CarriesState, HasConfig, Loss, TrainingResult, fit

SUBWORD_SAMPLE_SENTENCES = 20_000
"""Sentences, evenly spaced, from which subwords are learnt. More take long and change little."""


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
    """Train a language model from a recipe.

    Args:
        source: a recipe's `config.toml`.
        run_dir: run directory for models, metrics and training state.
        overrides: changes to the recipe, such as `training.epochs=2`.
        valid: text to validate on, instead of the recipe's.
        start_from: name or path of a model that provides the tokens and all weights of matching shape.
        resume: resume the run in `run_dir`.
        smoke: apply the recipe's `[smoke]` table: seconds instead of hours.
        device: `auto`, `cpu`, `cuda`, `cuda:1`; on a GPU, the recipe's `[gpu]` table is applied.
    Raises:
        ConfigError: the recipe is invalid.
        DataError: a text cannot be read, or is too short.
        CheckpointError: the model cannot be read.
    """
    gpu = choose_device(device).type == "cuda"
    table = read_recipe(source, valid)
    config = resolve(LanguageConfig, table, overrides, smoke=smoke, where=str(source), gpu=gpu)
    units = None
    if start_from is not None:
        start_from = models.resolve(start_from, task="language")
        units = restore_units(checkpoint.load(start_from, task="language").header.tokenizer)
    texts, held_out = (read_text(paths, config.alphabet) for paths in (config.data.train, config.data.valid))
    task = LanguageTask(config, texts, held_out, units)
    return fit(
        task, config.training, run_dir, resume=resume, start_from=start_from, card=config.card, device=device
    )


def read_text(paths: Iterable[Path], alphabet: str) -> list[str]:
    """Read the sentences of text files, one a line, normalised; empty lines are skipped.

    Raises:
        DataError: a file cannot be read, or is not UTF-8 text.
    """
    allowed = set(alphabet)
    lines = (" ".join(line.split()) for line in corpus.read_lines(paths))
    # Checking whether a line is already normalised is far faster than normalising it.
    normalised = (line if allowed.issuperset(line) else normalise(line, alphabet).text for line in lines)
    return list(filter(None, normalised))


class Window(NamedTuple):
    """A batch: the same span of each stream."""

    tokens: Tensor
    """Ids `[B, T]`."""
    targets: Tensor
    """The token after each of them `[B, T]`."""
    is_first: bool
    """Whether the window is at the start of the streams."""


class LanguageTask(HasConfig, CarriesState):
    """Language modelling for the training loop, with truncated backpropagation through time.

    Each epoch shuffles the sentences and cuts them into parallel streams. A batch is a window of all streams;
    the next window continues with the recurrent state of the previous one, but gradients stop at the window
    boundary. Shuffling makes the preceding sentence uninformative, so the model learns to score each sentence
    on its own. Under torchrun each process has its own streams: the same rows of every batch.

    Args:
        config: the recipe.
        train, valid: normalised sentences.
        units: the tokens; learnt from the training sentences if not given.
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
            raise DataError("no sentences to train or validate on; set data.train and data.valid to texts")
        self.units = units or learn_units(config, train)
        self.tokens, self.starts = _encode(self.units, train)
        self.windows = (len(self.tokens) - 1) // (config.data.streams * config.data.window)
        if not self.windows:
            raise DataError(
                f"{len(self.tokens)} training tokens are too few for one window of "
                f"{config.data.streams} streams; lower data.streams or data.window"
            )
        torch.manual_seed(config.training.seed)
        self.model: LanguageModel = build(config, self.units)
        self.carry: tuple[Tensor, ...] = ()
        self._stream: tuple[int, NDArray[np.integer]] = -1, self.tokens

    def plan(self, epoch: int) -> list[list[int]]:
        """Return the batches of an epoch; window w of stream s has the index `w * streams + s`."""
        streams = self.config.data.streams
        return [list(range(w * streams, (w + 1) * streams)) for w in range(self.windows)]

    def collate(self, indices: Sequence[int], epoch: int) -> Window:
        """Cut a window from the streams."""
        data = self.config.data
        window = indices[0] // data.streams
        starts = [(i % data.streams * self.windows + i // data.streams) * data.window for i in indices]
        stream = self._shuffled(epoch)
        windows = [stream[start : start + data.window + 1] for start in starts]
        rows = torch.from_numpy(np.stack(windows).astype(np.int64))
        return Window(rows[:, :-1], rows[:, 1:], window == 0)

    def loss(self, batch: Window, model: nn.Module) -> Loss:
        """Compute the negative log-likelihood of all targets in nats; the weight is the number of targets."""
        scores, state = model(batch.tokens, () if batch.is_first else self.carry)
        self.carry = tuple(part.detach() for part in state)
        return Loss(-log_probs(scores, batch.targets).sum(), batch.targets.numel())

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Compute the perplexity per word (sentence ends included) and the nats per token.

        Each sentence is scored on its own. A word model does not count out-of-vocabulary words.
        """
        scores = sentence_scores(model, self.units, self.valid)
        tokens = sum(len(each) for each in scores)
        nats = -sum(map(sum, scores)) / tokens
        perplexity = word_perplexity(self.units, self.valid, scores, self.units.vocabulary).perplexity
        return {"perplexity": perplexity, "nats": nats}

    def header(self, card: dict[str, object]) -> Header:
        """Return the header of the model file."""
        config = self.config.model_dump(mode="json", exclude={"card"})
        return Header("language", config, tokenizer=self.units.to_dict(), card=card)

    def _shuffled(self, epoch: int) -> NDArray[np.integer]:
        """Return the tokens of all sentences in the order of an epoch, with an end token at the start."""
        if self._stream[0] != epoch:
            lengths = np.diff(self.starts)
            order = np.random.default_rng((self.config.training.seed, epoch)).permutation(len(lengths))
            # The distance of each sentence from its new to its old position, repeated for each of its tokens.
            shifts = self.starts[order] - np.concatenate([[0], np.cumsum(lengths[order])[:-1]])
            positions = np.repeat(shifts, lengths[order]) + np.arange(len(self.tokens) - 1)
            stream = np.concatenate([self.tokens[:1], self.tokens[positions + 1]])
            self._stream = epoch, stream
        return self._stream[1]


def learn_units(config: LanguageConfig, texts: Sequence[str]) -> Units:
    """Build the tokens of a recipe; words and subwords are learnt from its sentences."""
    if config.words:
        return Units(Vocabulary.from_counts(Counter(w for text in texts for w in text.split()), config.words))
    if config.subwords:
        sample = texts[:: max(1, len(texts) // SUBWORD_SAMPLE_SENTENCES)]
        return Units(SubwordTokenizer.learn(sample, config.subwords, config.alphabet))
    return Units(CharTokenizer(config.alphabet))


def _encode(units: Units, texts: Sequence[str]) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Encode sentences as one array of tokens.

    Returns:
        an end token, then the tokens of each sentence with its end token; and the offset of each sentence,
        not counting the first token.
    """
    tokens, starts = array("i", [units.end]), array("q", [0])
    for text in texts:
        tokens.extend(units.encode(text))
        tokens.append(units.end)
        starts.append(len(tokens) - 1)
    dtype = np.uint16 if units.size <= 2**16 else np.int32
    return np.frombuffer(tokens, np.int32).astype(dtype), np.frombuffer(starts, np.int64)
