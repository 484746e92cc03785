"""Experiments: which network learns dependencies over how many frames, gradient norms, and clipping."""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from memory import PROBLEMS, Memory, MemoryTask, Network, draw_adding
from pydantic import Field

from audioseq import checkpoint
from audioseq.config import Config
from audioseq.nn import gradient_norms
from audioseq.training import TrainingConfig, fit

SOLVED = 0.05
"""A problem is solved when the error is at most this share of the baseline's."""

Positive = Annotated[int, Field(ge=1)]


class Experiment(Config):
    """A problem at one length, the networks to train on it, and the largest number of epochs."""

    problem: Literal["adding", "copy"]
    length: Annotated[int, Field(ge=2)]
    networks: tuple[Network, ...]
    epochs: Positive


class Clipping(Config):
    """A plain RNN with initial recurrent weights scaled by `gain`, trained by plain gradient descent."""

    gain: float = 1.2
    learning_rate: float = 0.05
    limit: float = 1.0
    length: Positive = 100
    updates: Positive = 200


class ExperimentConfig(Config):
    """The recipe. An epoch is `batches` batches of new sequences."""

    data: Path
    held_out: Positive = 500
    hidden_size: Positive = 64
    batch_size: Positive = 32
    batches: Positive = 100
    processes: Positive = 2
    closer: Positive = 200
    """Length of the adding problem whose learning curves and gradients are plotted."""
    clipping: Clipping = Clipping()
    training: TrainingConfig
    rates: dict[Network, float]
    """Learning rates of networks for which `training.learning_rate` is not suitable."""
    experiments: tuple[Experiment, ...]


Job = tuple[ExperimentConfig, Path, Experiment, Network]


def train(job: Job) -> tuple[dict[str, Any], list[float]]:
    """Train one network on one problem until it is solved; return metrics, and the error after each epoch."""
    config, run_dir, experiment, network = job
    torch.set_num_threads(1)
    started, problem, length = time.process_time(), experiment.problem, experiment.length
    model = {"problem": problem, "network": network, "length": length, "hidden_size": config.hidden_size}
    task = MemoryTask(
        model, config.data / f"{problem}-{length}.npz",
        batch_size=config.batch_size, batches=config.batches, seed=config.training.seed,
    )  # fmt: skip
    run_dir /= f"{problem}-{length}-{network}"
    learning_rate = config.rates.get(network, config.training.learning_rate)
    baseline, solved, epochs = PROBLEMS[problem].baseline, False, 0
    while not solved and epochs < experiment.epochs:  # resumes the same run, one epoch at a time
        resume, epochs = epochs > 0, epochs + 1
        training = config.training.model_copy(
            update={"epochs": float(epochs), "learning_rate": learning_rate}
        )
        error = fit(task, training, run_dir, resume=resume, device="cpu").metrics["error"]
        solved = error <= SOLVED * baseline
    figures = {"error": round(error, 4), "solved": solved, "updates": epochs * config.batches}
    seconds = round(time.process_time() - started, 1)
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    curve = [line["valid"]["error"] for line in lines if "valid" in line]
    return {**model, "baseline": round(baseline, 4), **figures, "cpu_seconds": seconds}, curve


def gradients(config: ExperimentConfig, run_dir: Path) -> dict[str, dict[str, list[float]]]:
    """Compute gradient norms of the last output with respect to h at each frame, before and after training.

    Returns:
        for each network, the norms `before` and `after` training, one a frame.
    """
    x = draw_adding(torch.Generator().manual_seed(0), config.batch_size, config.closer).x
    norms: dict[str, dict[str, list[float]]] = {}
    for experiment in config.experiments:
        if (experiment.problem, experiment.length) != ("adding", config.closer):
            continue
        for network in experiment.networks:
            torch.manual_seed(config.training.seed)
            model = Memory("adding", network, config.closer, config.hidden_size)
            before = gradient_norms(model.recurrent, x).tolist()
            trained = run_dir / f"adding-{config.closer}-{network}" / "best.safetensors"
            model.load_state_dict(checkpoint.load(trained, task="memory").weights)
            norms[network] = {"before": before, "after": gradient_norms(model.recurrent, x).tolist()}
    return norms


def descend(config: ExperimentConfig, limit: float) -> tuple[list[float], list[float]]:
    """Train a plain RNN with too large initial weights.

    Args:
        config: the recipe.
        limit: gradients are clipped to this norm.
    Returns:
        losses and gradient norms of the updates, up to the last finite one.
    """
    torch.manual_seed(config.training.seed)
    clipping, generator = config.clipping, torch.Generator().manual_seed(0)
    model = Memory("adding", "rnn_tanh", clipping.length, config.hidden_size)
    model.get_parameter("recurrent.forward_layer.weight_hh_l0").data.mul_(clipping.gain)
    optimizer = torch.optim.SGD(model.parameters(), clipping.learning_rate)
    losses: list[float] = []
    norms: list[float] = []
    for _ in range(clipping.updates):
        x, y = model.problem.draw(generator, config.batch_size, clipping.length)
        loss = model.problem.error(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), limit).item()
        if not math.isfinite(norm + loss.item()):
            break
        optimizer.step()
        losses.append(loss.item())
        norms.append(norm)
    return losses, norms


def run(config: ExperimentConfig, run_dir: Path, hardware: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run all experiments; return the results, and the curves to plot."""
    jobs = [
        (config, run_dir, experiment, name)
        for experiment in config.experiments
        for name in experiment.networks
    ]
    with ProcessPoolExecutor(config.processes, get_context("spawn")) as pool:
        trained = list((pool.map if config.processes > 1 else map)(train, jobs))
    runs = [figures for figures, _ in trained]
    norms = gradients(config, run_dir)
    limit = config.clipping.limit
    descents = {"clipped": descend(config, limit), "not clipped": descend(config, math.inf)}
    results = {
        "date": date.today().isoformat(),
        "hardware": hardware,
        "cpu_minutes": round(sum(figures["cpu_seconds"] for figures in runs) / 60, 1),
        "runs": runs,
        "closer": config.closer,
        "gradients": {
            network: {when: _short(norm[0] / max(norm)) for when, norm in both.items()}
            for network, both in norms.items()
        },
        "clipping": {
            "limit": limit,
            "largest_norm": {name: _short(max(sizes)) for name, (_, sizes) in descents.items()},
            "error": {name: _short(losses[-1]) for name, (losses, _) in descents.items()},
        },
    }
    series = {
        "batches": config.batches,
        "curves": [curve for _, curve in trained],
        "gradients": norms,
        "losses": {name: losses for name, (losses, _) in descents.items()},
    }
    (run_dir / "series.json").write_text(json.dumps(series))
    return results, series


def _short(number: float) -> float:
    return float(f"{number:.3g}")
