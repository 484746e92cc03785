"""The experiment: pretraining, two networks and the baselines on ten folds, and an ablation."""

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
from pretrain import PretrainingTask
from pydantic import Field
from task import SentimentTask, count_words, encode, evaluate, load, score, stored_units

from audioseq.config import Config, dump_toml, merge, parse
from audioseq.errors import ConfigError, DataError
from audioseq.files import write_bytes
from audioseq.training import TrainingConfig, fit

Size = Annotated[int, Field(ge=1)]
Fold = Annotated[int, Field(ge=0, lt=texts.FOLDS)]
Share = Annotated[float, Field(ge=0, lt=1)]

FIRST: dict[str, Any] = {"name": "ours", "source": "sentences", "fold": 0, "seed": 1}
"""The model whose file is kept; the ablation uses its fold and seed."""

NETWORKS = ("ours", "tutorial")
SENTENCE_MODEL = "ours, before whole reviews"
"""Name of the model of sentences from which models of whole reviews are initialised."""
ENSEMBLE = "ours, all seeds together"
"""Name of the mean score of the models of all seeds."""


class PretrainingConfig(Config):
    """Pretraining on unlabelled text; see `PretrainingTask` for the options."""

    words: Size = 20_000
    batch_tokens: Size = 1536
    dropout: Share = 0.1
    training: TrainingConfig


class NetworkConfig(Config):
    """A network; see `Classifier` for the other options."""

    embedding_size: Size = 128
    hidden_size: Size = 64
    bidirectional: bool = False
    pooling: Literal["last", "mean"] = "last"
    dropout: Share = 0.0
    embedding_dropout: Share = 0.0
    weight_drop: Share = 0.0
    piece: Size = 10_000
    pretrained: bool = False
    """Initialise the network from pretraining."""


class ModelConfig(Config):
    """A network and its training."""

    batch_size: Size = 32
    batch_tokens: Size = 8192
    network: NetworkConfig
    training: TrainingConfig
    sentences_first: bool = False
    """Initialise from our network trained on the sentences that do not overlap with whole reviews."""
    seeds: tuple[int, ...] = (1,)
    """A model is trained for each seed and fold."""
    reviews: dict[str, Any] = Field(default_factory=dict)
    """Changes of the options for whole reviews."""

    def changed(self, changes: dict[str, Any]) -> ModelConfig:
        """Return the options with changes, given as nested tables."""
        return parse(ModelConfig, merge(self.model_dump(mode="json"), changes), "changed options of a model")


class ExperimentConfig(Config):
    """The recipe."""

    data: Path
    """Folder written by prepare.py."""
    reading: PretrainingConfig
    tutorial: ModelConfig
    ours: ModelConfig
    tested: dict[Literal["sentences", "reviews"], tuple[Fold, ...]]
    """Test folds; the models are trained on the other folds."""
    ablation: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Changes of our network for each variant of the ablation."""
    ablation_folds: tuple[Fold, ...] = (0, 1)


class Experiment:
    """An experiment in a folder; finished parts are not run again.

    Args:
        config: the recipe.
        run_dir: folder of the models and of `figures.jsonl`, with one line for each trained model.
    Raises:
        ConfigError: the folder contains results of other settings.
    """

    def __init__(self, config: ExperimentConfig, run_dir: Path) -> None:
        self.config, self.run_dir = config, run_dir
        self.journal = run_dir / "figures.jsonl"
        self.pretrained = run_dir / "reading" / "best.safetensors"
        networks = {name: getattr(config, name).model_copy(update={"seeds": ()}) for name in NETWORKS}
        # Folds and seeds may be added later, so they are not compared.
        settings = dump_toml(config.model_copy(update={"tested": {}, **networks})).encode()
        if self.journal.exists() and (run_dir / "config.toml").read_bytes() != settings:
            raise ConfigError(
                f"{run_dir}: contains results of other settings; choose another folder with --run-dir"
            )
        write_bytes(run_dir / "config.toml", settings, make_folder=True)
        torch.set_num_threads(1)

    def pretrain(self) -> None:
        """Pretrain our network on unlabelled text, if it uses pretraining."""
        if not self.config.ours.network.pretrained or self.results_of("reading"):
            return
        options, network = self.config.reading, self.config.ours.network
        task = PretrainingTask(
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
        result = fit(task, options.training, self.pretrained.parent, resume=True, device="cpu")
        self._record(name="reading", nats=result.metrics["nats"], seconds=time.process_time() - started)

    def train(
        self, name: str, model: ModelConfig, source: str, fold: int, seed: int, *, test: bool = True
    ) -> Path:
        """Train a model on all folds but one, and evaluate it.

        Args:
            name: name of the model.
            model: options of network and training.
            source: name of the texts: `sentences` or `reviews`.
            fold: the held-out fold.
            seed: seed of weights, batches and dropout.
            test: also evaluate on the held-out fold, not only on the validation texts.
        Returns:
            path of the model file.
        """
        key: dict[str, Any] = {"name": name, "source": source, "fold": fold, "seed": seed}
        folder = self.run_dir / "models" / f"{name} {source} {fold} {seed}".replace(" ", "-")
        if self.results_of(**key):
            return folder / "best.safetensors"
        train, valid, test_texts = texts.split(texts.read(self.config.data / f"{source}.tsv"), fold)
        if not (train and valid and test_texts):
            raise DataError(f"{source}: too few texts for ten folds; provide hundreds of texts")
        if name == SENTENCE_MODEL:
            reviews = texts.read(self.config.data / "reviews.tsv")
            allowed = set(texts.without_copies((text.words for text in train), reviews))
            train = [text for text in train if text.words in allowed]
        start = self._initial_model(model)
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
        path = result.best.replace(folder / "best.safetensors")  # may be the averaged model
        figures: dict[str, Any] = {"valid": 1 - result.metrics["error"], "seconds": seconds}
        if test:
            network, units = load(path)
            scores = score(network, encode(units, test_texts))
            figures |= {"test": 1 - evaluate(scores, test_texts)["error"], "scores": scores.tolist()}
        if key != FIRST and name != SENTENCE_MODEL:
            shutil.rmtree(folder)
        self._record(**key, **figures)
        return path

    def _initial_model(self, model: ModelConfig) -> Path | None:
        """Return the model file from which a model is initialised."""
        if model.sentences_first:
            first = self.config.ours.changed({"sentences_first": False})
            return self.train(SENTENCE_MODEL, first, "sentences", FIRST["fold"], FIRST["seed"], test=False)
        return self.pretrained if model.network.pretrained else None

    def compare(self, source: str, fold: int) -> list[dict[str, Any]]:
        """Evaluate the baselines, trained on the validation texts too, and our ensemble on a fold."""
        train, valid, test_texts = texts.split(texts.read(self.config.data / f"{source}.tsv"), fold)
        accuracy = accuracies([*train, *valid], test_texts)
        scores = [row["scores"] for row in self.results_of("ours", source=source, fold=fold)]
        if len(scores) > 1:
            accuracy[ENSEMBLE] = 1 - evaluate(torch.tensor(scores).mean(0), test_texts)["error"]
        return [
            {"name": name, "source": source, "fold": fold, "seed": 0, "test": value, "seconds": 0.0}
            for name, value in accuracy.items()
        ]

    def results_of(self, name: str, **key: Any) -> list[dict[str, Any]]:
        """Return the recorded results of a name."""
        query = {"name": name, **key}
        return [row for row in self._rows() if query.items() <= row.items()]

    def _rows(self) -> list[dict[str, Any]]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return list(map(json.loads, lines))

    def _record(self, **figures: Any) -> None:
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")

    def run_one(self) -> str:
        """Train our network on all sentences but the first fold; return a line with its accuracy there."""
        self.pretrain()
        path = self.train(model=self.config.ours, **FIRST)
        (figures,) = self.results_of(**FIRST)
        return f"{path}: {figures['test']:.1%} accuracy on fold 0"

    def run_all(self) -> list[dict[str, Any]]:
        """Run the unfinished parts of the experiment; return the results, a row for each model."""
        config, networks = self.config, {name: getattr(self.config, name) for name in NETWORKS}
        self.pretrain()
        for (name, model), (source, folds) in product(networks.items(), config.tested.items()):
            settings = model.changed(model.reviews if source == "reviews" else {})
            for seed, fold in product(model.seeds, folds):
                self.train(name, settings, source, fold, seed)
        for name, changes in config.ablation.items():
            model = config.ours.changed({"network": changes})
            for fold in config.ablation_folds:
                self.train(name, model, "sentences", fold, FIRST["seed"], test=False)
        tests = ((source, fold) for source, folds in config.tested.items() for fold in folds)
        return self._rows() + [row for test in tests for row in self.compare(*test)]
