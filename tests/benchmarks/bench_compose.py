"""Composing, event by event: ours against a plain loop over `torch.nn.LSTM`, and against what bounds it.

    python -m tests.benchmarks.bench_compose [--model FILE]

An event is a note, told in five fields that are chosen one after the other, or a bar line, in two. Both ways
run the same network for the same wishes with the same chances. Plain is a call of a module of `torch.nn` for
every layer and every field of an event (`tests/music/plain.py`). A step makes an event of each piece. Times
are of the processor, on one thread; of the steps of all rounds, in which the ways take turns, the lower
quartile. So other work on the machine hardly counts, though it empties the caches that are shared.

The bounds of a step are measured in the same run. Reading: the bytes of the weights it needs, at the speed at
which a matrix of so many bytes is multiplied with a vector again and again: it stays in the cache, as the
weights do. Arithmetic: its operations, at the speed of the same kind of product with 64 rows. Overhead: a
step of the same network with one unit a layer, whose arithmetic is nothing.

With `--model` ours also listens for runs of notes of the training data, as `audioseq compose` does, and is
compared with itself when it does not; and whole processes of `audioseq compose` are timed: a minute of music,
from the cold.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # numpy reads it when it is imported

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from audioseq.config import read_toml
from audioseq.music import pipeline
from audioseq.music.config import ModelConfig
from audioseq.music.generation.generate import Draft, generate
from audioseq.music.generation.sampling import Sampling
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.model import MusicModel, build
from audioseq.music.representation.event_state import Conditions
from audioseq.music.representation.vocabulary import PITCH
from audioseq.nn.step import affine
from tests.benchmarks.bench_transcribe import run
from tests.music import plain

Way = Callable[[MusicModel, Sequence[Draft], Sampling], None]
RECIPE = Path(__file__).parents[2] / "recipes" / "music-lstm" / "config.toml"


def main() -> None:
    """Parse the options, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a trained one; else random weights, of the recipe's size")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="pieces at once")
    parser.add_argument("--bars", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, empty, known = networks(options.model)
    size = sum(parameter.numel() for parameter in model.parameters())
    print(f"{size / 1e6:.2f} M parameters, weights held in fp16")
    ways = {"plain": (plain.generate, model), "deaf": (generate, model), "overhead": (generate, empty)}
    if known is not None:
        ways["ours"] = (partial(generate, known=known), model)
    for batch in options.batches:
        found = {name: Steps() for name in ways}
        for _ in range(options.rounds):
            for name, (way, network) in ways.items():
                found[name].measure(way, network, batch, options.bars)
        usual = "deaf" if known is None else "ours"
        for name in ("plain", usual):
            print(f"batch {batch}: {name:6}{found[name]}")
        step, overhead = found[usual].seconds, found["overhead"].seconds
        reading, arithmetic = bounds(model, batch)
        share = (overhead + max(reading, arithmetic)) / step
        print(f"batch {batch}: {usual} / plain {found['plain'].seconds / step:.1f}")
        if known is not None:
            print(f"batch {batch}: listening takes {step / found['deaf'].seconds - 1:.1%} more time")
        print(f"batch {batch}: a step takes {1e6 * step:.0f} µs; reading {1e6 * reading:.0f}, ", end="")
        print(f"arithmetic {1e6 * arithmetic:.0f}, overhead {1e6 * overhead:.0f}; ", end="")
        print(f"overhead and the greater of the two are {share:.0%} of it", flush=True)
    if options.model is not None:
        command = [sys.executable, "-m", "audioseq", "compose", "-m", str(options.model.resolve()), "--force"]
        with tempfile.TemporaryDirectory() as directory:
            runs = [
                run([*command, "--seed", str(seed), "-o", f"{directory}/{seed}.mid"])
                for seed in range(options.rounds)
            ]
        cpu, wall, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"a minute from the cold: {cpu:.2f} s of the processor, {wall:.2f} s in all, {memory:.0f} MB")


class Stamped(list[list[int]]):
    """Events, each with the time of the processor at which it was there."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, event: list[int]) -> None:
        super().append(event)
        self.times.append(time.process_time())


class Steps:
    """How long the steps of one way to compose took, and what they made."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.ready: list[float] = []
        self.counts = np.zeros(3)  # events, notes, fields

    def measure(self, way: Way, network: MusicModel, batch: int, bars: int) -> None:
        """Compose pieces; the steps count that make an event of each."""
        drafts = [
            Draft(
                Conditions(i % 4, 0, False, 16, 8, bars, (0, 0)), np.random.default_rng(i), events=Stamped()
            )
            for i in range(batch)
        ]
        began = time.process_time()
        way(network, drafts, Sampling())
        steps = min(draft.sampled for draft in drafts)
        times = cast(Stamped, drafts[-1].events).times[:steps]
        self.times += np.diff(times).tolist()
        self.ready.append(times[0] - began)
        made = np.array([event for draft in drafts for event in draft.events[:steps]]) >= 0
        self.counts += len(made), made[:, PITCH].sum(), made.sum()

    @property
    def seconds(self) -> float:
        """Of a step."""
        return float(np.quantile(self.times, 0.25))

    def __str__(self) -> str:
        rates = self.counts / (len(self.times) + len(self.ready)) / self.seconds
        told = zip(rates, ("events", "notes", "fields"), strict=True)
        ready = 1e3 * statistics.median(self.ready)
        return "".join(f"{rate:8.0f} {what}/s" for rate, what in told) + f"; the first after {ready:.0f} ms"


def networks(path: Path | None) -> tuple[MusicModel, MusicModel, Fingerprint | None]:
    """Return the network, its weights rounded to what fp16 holds, an empty one, and what it learnt from."""
    known = None
    if path is None:
        config = ModelConfig(**read_toml(RECIPE)["model"])
        model = build(config)
    else:
        composer = pipeline.load_composer(path, "cpu")
        known = composer.heard
        model, config = composer.model, ModelConfig(**composer.header.config["model"])
    empty = build(config.model_copy(update={"hidden_size": 1, "width": 1, "look_width": 1}))
    return model.half().float().eval(), empty.eval(), known


def bounds(model: MusicModel, batch: int) -> tuple[float, float]:
    """Return the least seconds of a step: for reading the weights, and for the arithmetic."""
    recurrent = sum(parameter.numel() for parameter in model.stack.parameters())
    width = model.project.out_features
    heads = model.project.weight.numel() + sum(width * (width + len(bias)) for bias in model.biases)
    size = 2 * recurrent + 4 * heads
    matrix, vector = np.ones((size // 4096, 1024), np.float32), np.ones(1024, np.float32)
    rows, product = np.ones((64, 1024), np.float32), affine(np.ones((1024, 1024), np.float32), vector)
    reading = fastest(lambda: matrix @ vector)
    arithmetic = 2 * batch * (recurrent + heads) * fastest(lambda: product(rows)) / (2 * rows.size * 1024)
    print(f"batch {batch}: {size / 1e6:.1f} MB read at {size / reading / 1e9:.0f} GB/s")
    return reading, arithmetic


def fastest(work: Callable[[], object], tries: int = 50) -> float:
    """Return the seconds of the processor that some work takes, when it is disturbed least."""
    times = []
    for _ in range(tries):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


if __name__ == "__main__":
    main()
