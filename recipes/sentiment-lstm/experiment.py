"""The experiment: reading first, two networks and their rivals on ten folds, and what each part is worth."""

from __future__ import annotations

import json
import shutil
import time
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import texts
import torch
from baselines import accuracies
from pretrain import ReadingTask
from pydantic import Field
from task import SentimentTask, count_words, encode, judge, load, score, stored_units

from audioseq.config import Config, dump_toml, merge, parse
from audioseq.errors import ConfigError, DataError
from audioseq.files import write_atomically
from audioseq.training import TrainingConfig, fit

Size = Annotated[int, Field(ge=1)]
Fold = Annotated[int, Field(ge=0, lt=texts.FOLDS)]
Share = Annotated[float, Field(ge=0, lt=1)]

FIRST: dict[str, Any] = {"name": "ours", "source": "sentences", "fold": 0, "seed": 1}
"""The model that is kept, to be used; parts are left out of it to see what they are worth."""

NETWORKS = ("ours", "tutorial")
START = "ours, before whole reviews"
"""What is trained on sentences first, to start from."""
TOGETHER = "ours, all seeds together"
"""The mean score of the models of all seeds."""


class ReadingConfig(Config):
    """What is read before, without labels; the meaning of each value is told in `ReadingTask`."""

    words: Size = 20_000
    batch_tokens: Size = 1536
    dropout: Share = 0.1
    training: TrainingConfig


class NetworkConfig(Config):
    """A network; the meaning of most values is told in `Classifier`."""

    embedding_size: Size = 128
    hidden_size: Size = 64
    bidirectional: bool = False
    pooling: Literal["last", "mean"] = "last"
    dropout: Share = 0.0
    embedding_dropout: Share = 0.0
    weight_drop: Share = 0.0
    piece: Size = 10_000
    pretrained: bool = False
    """Whether it starts from what was learnt by reading."""


class ModelConfig(Config):
    """A network, and how it is trained."""

    batch_size: Size = 32
    batch_tokens: Size = 8192
    network: NetworkConfig
    training: TrainingConfig
    sentences_first: bool = False
    """Whether it starts from our network trained on sentences, those that repeat nothing of whole reviews."""
    seeds: tuple[int, ...] = (1,)
    """One model a seed and fold."""
    reviews: dict[str, Any] = Field(default_factory=dict)
    """What is changed for whole reviews."""

    def changed(self, changes: dict[str, Any]) -> ModelConfig:
        """Return the model with some values changed, table by table."""
        return parse(ModelConfig, merge(self.model_dump(mode="json"), changes), "what is changed in a model")


class ExperimentConfig(Config):
    """The recipe."""

    data: Path
    """Folder that prepare.py writes."""
    reading: ReadingConfig
    tutorial: ModelConfig
    ours: ModelConfig
    tested: dict[Literal["sentences", "reviews"], tuple[Fold, ...]]
    """Folds that are tested on, each by models trained on the rest."""
    ablation: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What is changed in our network, to see what each part is worth."""
    ablation_folds: tuple[Fold, ...] = (0, 1)


class Experiment:
    """An experiment in a folder; what was measured already is not measured again.

    Args:
        config: the recipe.
        run_dir: where models and `figures.jsonl` go, a line for each model that was trained.
    Raises:
        ConfigError: the folder holds figures of other settings.
    """

    def __init__(self, config: ExperimentConfig, run_dir: Path) -> None:
        self.config, self.run_dir = config, run_dir
        self.journal = run_dir / "figures.jsonl"
        self.reader = run_dir / "reading" / "best.safetensors"
        one = {name: getattr(config, name).model_copy(update={"seeds": ()}) for name in NETWORKS}
        settings = dump_toml(config.model_copy(update={"tested": {}, **one})).encode()  # these may grow
        if self.journal.exists() and (run_dir / "config.toml").read_bytes() != settings:
            raise ConfigError(f"{run_dir}: holds figures of other settings; name another with --run-dir")
        write_atomically(run_dir / "config.toml", lambda file: file.write(settings), make_folder=True)
        torch.set_num_threads(1)

    def read(self) -> None:
        """Learn to foretell words from text without labels, if our network is to start from that."""
        if not self.config.ours.network.pretrained or self.done("reading"):
            return
        options, network = self.config.reading, self.config.ours.network
        task = ReadingTask(
            texts.lines(self.config.data / "unlabelled-train.txt"),
            texts.lines(self.config.data / "unlabelled-valid.txt"),
            {
                "embedding_size": network.embedding_size,
                "hidden_size": network.hidden_size,
                "dropout": options.dropout,
            },
            words=options.words,
            batch_tokens=options.batch_tokens,
            seed=options.training.seed,
        )
        started = time.process_time()
        result = fit(task, options.training, self.reader.parent, resume=True, device="cpu")
        self._note(name="reading", nats=result.metrics["nats"], seconds=time.process_time() - started)

    def train(
        self, name: str, model: ModelConfig, source: str, fold: int, seed: int, *, test: bool = True
    ) -> Path:
        """Train a model on all folds but one, and judge it.

        Args:
            name: what the model is called.
            model: network and training.
            source: name of the texts: `sentences` or `reviews`.
            fold: the one that is kept apart.
            seed: of weights, batches and dropping.
            test: whether it is judged on that fold too, or on the validation texts alone.
        Returns:
            path of the trained model.
        """
        key: dict[str, Any] = {"name": name, "source": source, "fold": fold, "seed": seed}
        folder = self.run_dir / "models" / f"{name} {source} {fold} {seed}".replace(" ", "-")
        if self.done(**key):
            return folder / "best.safetensors"
        train, valid, kept = texts.split(texts.read(self.config.data / f"{source}.tsv"), fold)
        if not (train and valid and kept):
            raise DataError(f"{source}: too few texts for ten folds; give hundreds")
        if name == START:
            reviews = texts.read(self.config.data / "reviews.tsv")
            allowed = set(texts.without_copies((text.words for text in train), reviews))
            train = [text for text in train if text.words in allowed]
        start = self._start(model)
        task = SentimentTask(
            model.network.model_dump(exclude={"pretrained"}),
            train,
            valid,
            stored_units(start) if start else count_words(train),
            batch_size=model.batch_size,
            batch_tokens=model.batch_tokens,
            seed=seed,
        )
        training, started = model.training.model_copy(update={"seed": seed}), time.process_time()
        result = fit(task, training, folder, resume=True, start_from=start, device="cpu")
        seconds = time.process_time() - started
        path = result.best.replace(folder / "best.safetensors")  # the average may be best
        figures: dict[str, Any] = {"valid": 1 - result.metrics["error"], "seconds": seconds}
        if test:
            network, units = load(path)
            scores = score(network, encode(units, kept))
            figures |= {"test": 1 - judge(scores, kept)["error"], "scores": scores.tolist()}
        if key != FIRST and name != START:
            shutil.rmtree(folder)
        self._note(**key, **figures)
        return path

    def _start(self, model: ModelConfig) -> Path | None:
        """Return the model file that a model starts from."""
        if model.sentences_first:
            first = self.config.ours.changed({"sentences_first": False})
            return self.train(START, first, "sentences", FIRST["fold"], FIRST["seed"], test=False)
        return self.reader if model.network.pretrained else None

    def compare(self, source: str, fold: int) -> list[dict[str, Any]]:
        """Judge the rivals on a fold, which learn from the validation texts too; and our models together."""
        train, valid, kept = texts.split(texts.read(self.config.data / f"{source}.tsv"), fold)
        shares = accuracies([*train, *valid], kept)
        scores = [row["scores"] for row in self.done("ours", source=source, fold=fold)]
        if len(scores) > 1:
            shares[TOGETHER] = 1 - judge(torch.tensor(scores).mean(0), kept)["error"]
        return [
            {"name": name, "source": source, "fold": fold, "seed": 0, "test": share, "seconds": 0.0}
            for name, share in shares.items()
        ]

    def done(self, name: str, **key: Any) -> list[dict[str, Any]]:
        """Return the figures that were measured already under a name."""
        wanted = {"name": name, **key}
        return [row for row in self._rows() if wanted.items() <= row.items()]

    def _rows(self) -> list[dict[str, Any]]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return list(map(json.loads, lines))

    def _note(self, **figures: Any) -> None:
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")

    def one(self) -> str:
        """Train our network on all sentences but the first fold, and tell how well it does on that."""
        self.read()
        path = self.train(model=self.config.ours, **FIRST)
        (figures,) = self.done(**FIRST)
        return f"{path}: {figures['test']:.1%} of the texts of fold 0 right"

    def all(self) -> list[dict[str, Any]]:
        """Do all that is not done yet, and return the figures, a row for each thing that was trained."""
        config, networks = self.config, {name: getattr(self.config, name) for name in NETWORKS}
        self.read()
        for (name, model), (source, folds) in product(networks.items(), config.tested.items()):
            settings = model.changed(model.reviews if source == "reviews" else {})
            for seed, fold in product(model.seeds, folds):
                self.train(name, settings, source, fold, seed)
        for name, changes in config.ablation.items():
            model = config.ours.changed({"network": changes})
            for fold in config.ablation_folds:
                self.train(name, model, "sentences", fold, FIRST["seed"], test=False)
        places = ((source, fold) for source, folds in config.tested.items() for fold in folds)
        return self._rows() + [row for place in places for row in self.compare(*place)]
