"""Speed of speech training: augmentation and features, alone and as a part of an update.

    python -m tests.benchmarks.bench_training_speed --threads 1

Noise stands for speech, with the augmentation and the model of `recipes/english-ctc`, on a GPU those of its
`[gpu]` table. The kinds of work take turns, so that other work on the machine affects all of them equally;
the figures are medians over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import cast

import numpy as np
import torch

from audioseq.config import read_toml, resolve
from audioseq.device import choose_device
from audioseq.seeding import keyed_generator
from audioseq.speech.config import SpeechConfig
from audioseq.speech.data.collate import (
    Recordings,
    SpeechBatch,
    augment,
    batch_loss,
    compute_features,
    pad_ids,
    pad_samples,
)
from audioseq.speech.model import AcousticModel
from audioseq.speech.pronunciation import NUM_PHONE_UNITS
from audioseq.training.batches import to_device
from audioseq.training.optim import make_optimizer
from audioseq.training.precision import autocast, choose_precision
from tests.benchmarks import report
from tests.benchmarks.bench_recurrent import synchronise

RECIPE = report.ROOT / "recipes" / "english-ctc" / "config.toml"
CHARACTERS_PER_SECOND = 14
SUBWORDS_PER_SECOND, PHONES_PER_SECOND = 5, 12
UPDATE = "an update, with the whole batch"


def main() -> None:
    """Parse the options, measure, write the results."""
    parser = report.parser("training_speed", __doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6.0, help="length of the longest recording")
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds, after one to warm up")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = choose_device(options.device)
    config = resolve(
        SpeechConfig, read_toml(RECIPE), smoke=False, where=str(RECIPE), gpu=device.type == "cuda"
    )
    model = AcousticModel(config.subwords + 1, NUM_PHONE_UNITS, fine=False, **config.model.model_dump())
    model.to(device).train()
    optimizer = make_optimizer(model, config.training)
    precision = choose_precision("auto", device, print)
    random = np.random.default_rng(0)
    durations = np.linspace(0.85, 1.0, options.batch) * options.seconds
    rows = [(3000 * random.standard_normal(int(16_000 * each))).astype(np.int16) for each in durations]

    def recordings(chosen: slice) -> Recordings:
        generators = [keyed_generator(0, 0, str(row)) for row in range(options.batch)[chosen]]
        plain = Recordings(*pad_samples(rows[chosen]))
        changed = augment(plain, generators, config.wave_augment, config.spec_augment, model.log_mel)
        return cast(Recordings, to_device(changed, device))

    def features_of_each() -> None:
        for row in range(options.batch):
            compute_features(recordings(slice(row, row + 1)), model.log_mel)

    def features_of_the_batch() -> None:
        compute_features(recordings(slice(None)), model.log_mel)

    def targets(per_second: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        return pad_ids(random.integers(1, size, int(per_second * each)).tolist() for each in durations)

    labels = targets(SUBWORDS_PER_SECOND, config.subwords), targets(PHONES_PER_SECOND, NUM_PHONE_UNITS)

    def update() -> None:
        batch = SpeechBatch(
            tuple(range(options.batch)), recordings(slice(None)), *labels[0], *labels[1], None,
            round(CHARACTERS_PER_SECOND * durations.sum()), durations.sum(),
        )  # fmt: skip
        optimizer.zero_grad(set_to_none=False)
        with autocast(device, precision):
            loss = batch_loss(to_device(batch, device), model, config.intermediate_weight)
        torch.autograd.backward(loss / batch.characters)
        optimizer.step()

    work: dict[str, Callable[[], None]] = {
        "augmentation and features, one recording at a time": features_of_each,
        "augmentation and features, the whole batch": features_of_the_batch,
        UPDATE: update,
    }
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(1 + options.rounds):
        for name, run in work.items():
            synchronise(device)
            start = time.perf_counter()
            run()
            synchronise(device)
            times[name].append(time.perf_counter() - start)

    table: list[report.Row] = []
    for name, measured in times.items():
        shares = [mine / whole for mine, whole in zip(measured[1:], times[UPDATE][1:], strict=True)]
        table.append(
            {
                "work": name,
                "seconds of audio per second": round(durations.sum() / statistics.median(measured[1:])),
                "share of the time of an update (%)": round(100 * statistics.median(shares), 1),
            }
        )
        report.show(table[-1])
    millions = sum(each.numel() for each in model.parameters()) / 1e6
    title = (
        f"Training {millions:.1f} million parameters on {options.batch} recordings, {durations.sum():.0f} s, "
        f"{options.threads} threads, {device}, {str(precision).removeprefix('torch.')}"
    )
    report.write(options.output, {title: table})


if __name__ == "__main__":
    main()
