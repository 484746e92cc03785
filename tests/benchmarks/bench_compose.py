"""Speed of music generation per event, compared with a plain loop over `torch.nn.LSTM` and with lower bounds.

    python -m tests.benchmarks.bench_compose [--model FILE]

An event is a note with five fields, which are sampled one after the other, or a bar line with two fields.
Both implementations run the same network with the same options and the same probabilities: `audioseq` in
NumPy, and the plain one by a module of `torch.nn` for every layer and every field of an event
(`tests/music/plain.py`). A step
generates one event of each piece. Times are processor times on one thread: the lower quartile of the steps
of all rounds, in which the implementations take turns, so that other work on the machine has little effect,
although it evicts shared caches.

The lower bounds of a step are measured in the same run. Reading: the bytes of the weights that a step
needs, at the speed of repeated products of a matrix of this size with a vector; such a matrix stays in the
cache, as the weights do. Arithmetic: the operations of a step, at the speed of the same kind of product
with 64 rows. Overhead: a step of the same network with one unit per layer, whose arithmetic is negligible.

With `--model`, generation also runs the copy detector against the training data, as `audioseq compose`
does, and is compared with generation without it; and whole processes of `audioseq compose` are timed, which
generate a minute of music, including the start.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # numpy reads it when it is imported

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from audioseq.config import read_toml
from audioseq.music import pipeline
from audioseq.music.config import ModelConfig
from audioseq.music.evaluate import load_network
from audioseq.music.generation.draft import Draft
from audioseq.music.generation.generate import generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.generation.stepper import EventStep
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.vocabulary import PITCH
from tests.arrays import to_arrays
from tests.benchmarks import report
from tests.benchmarks.bench_transcribe import run
from tests.music import plain

Generator = Callable[[Sequence[Draft], Sampling], None]
RECIPE = Path(__file__).parents[2] / "recipes" / "music-lstm" / "config.toml"
PLAIN, OURS, WITH_DETECTOR = "torch, plain loop", "NumPy", "NumPy, with the copy detector"


def main() -> None:
    """Parse the options, measure, write the results."""
    parser = report.parser("compose", __doc__)
    parser.add_argument("--model", type=Path, help="a trained model (default: random weights of the recipe)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="pieces at once")
    parser.add_argument("--bars", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, step, empty, training_runs = networks(options.model)
    ways: dict[str, Generator] = {
        PLAIN: lambda drafts, sampling: plain.generate(model, drafts, sampling),
        OURS: lambda drafts, sampling: generate(step, drafts, sampling),
        "overhead": lambda drafts, sampling: generate(empty, drafts, sampling),
    }
    if training_runs is not None:
        ways[WITH_DETECTOR] = lambda drafts, sampling: generate(step, drafts, sampling, training_runs)
    default = OURS if training_runs is None else WITH_DETECTOR
    speeds: list[report.Row] = []
    steps: list[report.Row] = []
    for batch in options.batches:
        times = {name: Steps() for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                times[name].measure(way, batch, options.bars)
        for name in ways:
            if name != "overhead":
                ratio = times[PLAIN].seconds / times[name].seconds
                speeds.append(
                    {"pieces": batch, "implementation": name, **times[name].row(), "speedup": round(ratio, 1)}
                )
                report.show(speeds[-1])
        seconds, overhead = times[default].seconds, times["overhead"].seconds
        reading, arithmetic = bounds(model, batch)
        steps.append(
            {
                "pieces": batch,
                "step (µs)": round(1e6 * seconds),
                "reading (µs)": round(1e6 * reading),
                "arithmetic (µs)": round(1e6 * arithmetic),
                "overhead (µs)": round(1e6 * overhead),
                "overhead and the larger bound (% of a step)": round(
                    100 * (overhead + max(reading, arithmetic)) / seconds
                ),
                "copy detector (% more time)": round(100 * (seconds / times[OURS].seconds - 1), 1),
            }
        )
        report.show(steps[-1])
    size = sum(parameter.numel() for parameter in model.parameters())
    tables = {
        f"Speed, {size / 1e6:.2f} million parameters": speeds,
        "Bounds of a step": steps,
    }
    if options.model is not None:
        tables["A minute of music, start included"] = [whole_processes(options.model, options.rounds)]
    report.write(options.output, tables)


def whole_processes(model: Path, rounds: int) -> report.Row:
    """Return the medians of the cost of whole processes of `audioseq compose`."""
    command = [sys.executable, "-m", "audioseq", "compose", "-m", str(model.resolve()), "--force"]
    with tempfile.TemporaryDirectory() as directory:
        runs = [
            run([*command, "--seed", str(seed), "-o", f"{directory}/{seed}.mid"]) for seed in range(rounds)
        ]
    cpu, wall, _ = (statistics.median(column) for column in zip(*runs, strict=True))
    row = {"processor time (s)": round(cpu, 2), "wall time (s)": round(wall, 2)}
    report.show(row)
    return row


class TimedEvents(list[list[int]]):
    """A list of events that records the processor time at which each was appended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, event: list[int]) -> None:
        super().append(event)
        self.times.append(time.process_time())


class Steps:
    """Times of the steps of one implementation, and the counts of what they generated."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.first: list[float] = []
        self.counts = np.zeros(3)  # events, notes, fields

    def measure(self, way: Generator, batch: int, bars: int) -> None:
        """Generate pieces; only the steps that generate an event of each piece count."""
        drafts = [
            Draft(
                Conditions(i % 4, 0, False, 16, 8, bars, (0, 0)),
                np.random.default_rng(i),
                events=TimedEvents(),
            )
            for i in range(batch)
        ]
        began = time.process_time()
        way(drafts, Sampling())
        steps = min(draft.sampled for draft in drafts)
        times = cast(TimedEvents, drafts[-1].events).times[:steps]
        self.times += np.diff(times).tolist()
        self.first.append(times[0] - began)
        made = np.array([event for draft in drafts for event in draft.events[:steps]]) >= 0
        self.counts += len(made), made[:, PITCH].sum(), made.sum()

    @property
    def seconds(self) -> float:
        """Lower quartile of the processor time of a step, seconds."""
        return float(np.quantile(self.times, 0.25))

    def row(self) -> dict[str, str | float]:
        """Return the rates, and the time to the first event."""
        rates = self.counts / (len(self.times) + len(self.first)) / self.seconds
        names = ("events per second", "notes per second", "fields per second")
        row: dict[str, str | float] = {
            name: round(rate) for name, rate in zip(names, rates.tolist(), strict=True)
        }
        return row | {"first event (ms)": round(1e3 * statistics.median(self.first))}


def networks(path: Path | None) -> tuple[MusicModel, EventStep, EventStep, Fingerprint | None]:
    """Return the network in torch and in NumPy, a minimal network, and the training fingerprint."""
    training_runs = None
    if path is None:
        config = ModelConfig(**read_toml(RECIPE)["model"])
        model = build(config).eval()
    else:
        composer = pipeline.load_composer(path)
        training_runs = composer.training_runs
        model, config = load_network(path, "cpu"), ModelConfig(**composer.header.config["model"])
    smallest = config.model_copy(update={"hidden_size": 1, "width": 1, "look_width": 1})
    empty = EventStep(to_arrays(build(smallest)), smallest)
    return model, EventStep(to_arrays(model), config), empty, training_runs


def bounds(model: MusicModel, batch: int) -> tuple[float, float]:
    """Return lower bounds of the seconds of a step: reading the weights, and arithmetic."""
    recurrent = sum(parameter.numel() for parameter in model.stack.parameters())
    width = model.project.out_features
    heads = model.project.weight.numel() + sum(width * (width + len(bias)) for bias in model.biases)
    size = 4 * (recurrent + heads)
    matrix, vector = np.ones((size // 4096, 1024), np.float32), np.ones(1024, np.float32)
    rows, square = np.ones((64, 1024), np.float32), np.ones((1024, 1024), np.float32)
    reading = fastest(lambda: matrix @ vector)
    arithmetic = 2 * batch * (recurrent + heads) * fastest(lambda: rows @ square) / (2 * rows.size * 1024)
    return reading, arithmetic


def fastest(work: Callable[[], object], tries: int = 50) -> float:
    """Return the least processor time of a function over several calls, seconds."""
    times = []
    for _ in range(tries):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
