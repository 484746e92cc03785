"""The training task of a series, and forecasts of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from model import Forecaster
from pydantic import Field
from scores import Forecast
from torch import Tensor, nn

from audioseq import checkpoint
from audioseq.checkpoint import Header
from audioseq.config import Config
from audioseq.errors import DataError
from audioseq.seeding import keyed_generator
from audioseq.training import Loss, TrainingConfig, fit

Size = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class ModelConfig(Config):
    """The network; see `Forecaster` for the options."""

    recurrent: bool = True
    hidden_size: Size = 16
    half_lives: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 6.0, 24.0)
    dropout: Share = 0.2


class LearnerConfig(Config):
    """Training of a network on a series."""

    window: Size = 96
    """Steps of a training window that have a loss."""
    lead: Size = 24
    """Steps before the window that only initialise the state."""
    batch_size: Size = 16
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the past, at its end, that is held out to select the network."""
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def variant(self, recurrent: bool, seed: int) -> LearnerConfig:
        """Return the options with or without an LSTM, and with a seed."""
        model = self.model.model_copy(update={"recurrent": recurrent})
        training = self.training.model_copy(update={"seed": seed})
        return self.model_copy(update={"model": model, "training": training})


class ForecastTask:
    """The next value of a series as a training task.

    An epoch has as many windows as fit into the series side by side; each starts at a random step.

    Args:
        config: options of network and training.
        values: the past `[N]`.
    Raises:
        DataError: the series is constant or too short.
    """

    name, metric = "forecast", "nats"

    def __init__(self, config: LearnerConfig, values: np.ndarray) -> None:
        self.config = config
        self.mean, self.deviation = float(values.mean()), float(values.std())
        if not self.deviation:
            raise DataError("the series is constant; give one that varies")
        self.x = torch.from_numpy((values - self.mean) / self.deviation).float()
        self.training_size = len(values) - round(config.held_out * len(values))
        self.starts = self.training_size - config.lead - config.window
        if self.starts < 1:
            raise DataError(
                f"the series has {len(values)} values, too few for windows of {config.window}; "
                "give a longer one, or reduce learner.window and learner.lead"
            )
        torch.manual_seed(config.training.seed)
        self.model = Forecaster(**config.model.model_dump())

    def plan(self, epoch: int) -> list[list[int]]:
        """Split the numbers of the windows of the epoch into batches."""
        count = max(1, self.training_size // self.config.window)
        size = self.config.batch_size
        return [list(range(start, min(start + size, count))) for start in range(0, count, size)]

    def collate(self, indices: Sequence[int], epoch: int) -> Tensor:
        """Return random windows, each with its lead and the value after it `[B, lead + window + 1]`."""
        generators = [keyed_generator(self.config.training.seed, epoch, str(index)) for index in indices]
        starts = [int(torch.randint(self.starts, (), generator=generator)) for generator in generators]
        return torch.stack([self.x[s : s + self.config.lead + self.config.window + 1] for s in starts])

    def loss(self, batch: Tensor, model: nn.Module) -> Loss:
        """Return the negative log-likelihood of the windows without their leads, in nats."""
        forecast, _ = model(batch[:, :-1])
        nats = forecast.nll(batch[:, 1:])[:, self.config.lead :]
        return Loss(nats.sum(), nats.numel())

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Return the mean negative log-likelihood of the held-out values, in nats."""
        x = self.x.to(next(model.parameters()).device)[None]
        nats = model(x[:, :-1])[0].nll(x[:, 1:])[0, self.training_size - 1 :]
        return {"nats": nats.mean().item()}

    def header(self, card: dict[str, Any]) -> Header:
        """Return the header of the model file."""
        scaling = {"mean": self.mean, "deviation": self.deviation}
        return Header("forecast", self.config.model.model_dump(mode="json"), scaling, card=card)


class Learned:
    """A trained network that forecasts a series.

    Args:
        path: model file.
    """

    def __init__(self, path: Path) -> None:
        stored = checkpoint.load(path, task="forecast")
        self.mean, self.deviation = stored.header.features["mean"], stored.header.features["deviation"]
        self.model = Forecaster(**stored.header.config).eval()
        stored.fill(self.model)

    def normalise(self, values: np.ndarray) -> Tensor:
        """Return values normalised for the network, float32 `[N]`."""
        return torch.from_numpy((values - self.mean) / self.deviation).float()

    @torch.no_grad()
    def __call__(self, values: np.ndarray) -> Forecast:
        """Return the forecast of the value after each of `values`."""
        location, scale, dof = (
            part[0].double().numpy() for part in self.model(self.normalise(values)[None])[0]
        )
        return Forecast(self.mean + self.deviation * location, self.deviation * scale, dof)


def learn(config: LearnerConfig, past: np.ndarray, run_dir: Path, *, resume: bool = False) -> Learned:
    """Train a network on the past; return the one with the lowest loss on the held-out end."""
    return Learned(
        fit(ForecastTask(config, past), config.training, run_dir, resume=resume, device="cpu").best
    )
