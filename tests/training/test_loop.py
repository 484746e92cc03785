"""What an update, an epoch and a run do, on the toy."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from audioseq import checkpoint
from audioseq.config import load
from audioseq.errors import ConfigError, DataError
from audioseq.training import Loss, TrainingConfig, fit
from audioseq.training.optim import learning_rate, make_optimizer
from tests.training.conftest import Start, assert_same_end, lines
from tests.training.toy import Batch, Toy

FAST = TrainingConfig(epochs=2, learning_rate=0.02, warmup=4, precision="fp32")


def changed(**values: object) -> TrainingConfig:
    """Return FAST with other values."""
    return TrainingConfig(**{**FAST.model_dump(), **values})


def losses(run_dir: Path) -> list[float]:
    """Return the loss of each update."""
    return [line["loss"] for line in lines(run_dir) if "loss" in line]


def valids(run_dir: Path) -> list[float]:
    """Return the error of each validation."""
    return [line["valid"]["error"] for line in lines(run_dir) if "valid" in line and "average" not in line]


def test_it_learns_and_leaves_what_it_promises(tmp_path: Path) -> None:
    config = changed(epochs=12)
    task = Toy(config)
    result = fit(task, config, tmp_path, card={"data": "made up"}, device="cpu")
    errors = valids(tmp_path)
    assert len(errors) == 12
    assert errors[-1] < 0.6 * errors[0]
    assert result.metrics == {"error": pytest.approx(min(errors), rel=1e-6)}
    last = checkpoint.load(result.last, task="toy")
    assert all(value.equal(task.model.state_dict()[name]) for name, value in last.weights.items())
    assert last.header.card["data"] == "made up"
    assert last.header.card["updates"] == 12 * 7
    assert load(TrainingConfig, tmp_path / "config.toml") == config
    first = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert {"step", "epoch", "loss", "learning_rate", "gradient_norm", "seconds", "speed"} <= first.keys()


def test_an_update_is_that_of_plain_pytorch(tmp_path: Path) -> None:
    """Mean over all frames, clip, AdamW: the same by the book."""
    config = changed(epochs=1, warmup=0, decay=0.0, clip=0.3, weight_decay=0.1)
    task, book = Toy(config, random=False), Toy(config, random=False)
    fit(task, config, tmp_path, device="cpu")
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in book.model.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in book.model.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=0.02,
        betas=config.betas,
    )
    for indices in book.plan(0):
        optimizer.zero_grad()
        loss = book.loss(book.collate(indices, 0), book.model)
        (loss.total / loss.weight).backward()
        nn.utils.clip_grad_norm_(book.model.parameters(), 0.3)
        optimizer.step()
    for mine, by_the_book in zip(task.model.parameters(), book.model.parameters(), strict=True):
        torch.testing.assert_close(mine, by_the_book, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_equal_a_larger_one(tmp_path: Path) -> None:
    for accumulate, batch in (1, 8), (2, 4), (4, 2):
        config = changed(accumulate=accumulate)
        fit(Toy(config, batch=batch, random=False), config, tmp_path / str(batch), device="cpu")
    assert losses(tmp_path / "4") == pytest.approx(losses(tmp_path / "8"), rel=1e-5)
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "8"), rel=1e-5)


def test_losses_that_are_not_finite_are_skipped_counted_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fit(Toy(FAST, poison=[3], batch=1), FAST, tmp_path, device="cpu")
    assert result.skipped == 2  # one an epoch
    assert all(value.isfinite().all() for value in checkpoint.load(result.last).weights.values())
    assert losses(tmp_path).count(None) == 2  # type: ignore[arg-type]
    assert sum(line["skipped"] for line in lines(tmp_path) if "skipped" in line) == 2
    told = capsys.readouterr().err
    assert "batches skipped: 1" in told
    assert "batches skipped because loss or gradient was not finite: 2" in told


def test_a_bad_batch_costs_only_itself(tmp_path: Path) -> None:
    """Of the batches of one update, the good ones count, as if the bad one had not been there."""
    config = changed(accumulate=26, epochs=1, warmup=0)
    poisoned, without = (Toy(config, batch=1, random=False, poison=poison) for poison in ([3], []))
    fit(poisoned, config, tmp_path / "poisoned", device="cpu")
    plan = without.plan
    without.plan = lambda epoch: [batch for batch in plan(epoch) if batch != [3]]  # type: ignore[method-assign]
    fit(without, config, tmp_path / "without", device="cpu")
    assert losses(tmp_path / "poisoned") == losses(tmp_path / "without")
    for name, value in poisoned.model.state_dict().items():
        assert value.equal(without.model.state_dict()[name])


class Exploding(Toy):
    """Finite losses with gradients that are not: the square root at 0."""

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Add 0 with an infinite slope."""
        loss = super().loss(batch, model)
        return Loss(loss.total + (0 * loss.total).sqrt(), loss.weight)


def test_gradients_that_are_not_finite_are_skipped(tmp_path: Path) -> None:
    task = Exploding(FAST)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    assert fit(task, FAST, tmp_path, device="cpu").skipped == 14
    assert all(value.equal(before[name]) for name, value in task.model.state_dict().items())


def test_it_stops_when_nothing_gets_better(tmp_path: Path) -> None:
    config = changed(epochs=9, patience=2)
    task = Toy(config, figures=[3, float("nan"), 2, 2.5, 2, 1, 0])
    result = fit(task, config, tmp_path, device="cpu")
    assert [line["valid"]["error"] for line in lines(tmp_path) if "valid" in line] == [3, None, 2, 2.5, 2]
    assert result.metrics == {"error": 2}
    assert checkpoint.read_header(result.best).card["epochs"] == 3
    assert checkpoint.read_header(result.last).card["epochs"] == 5


def test_the_last_models_are_averaged(tmp_path: Path) -> None:
    config = changed(epochs=4, average=3)
    result = fit(Toy(config, figures=[4, 3, 2, 1, 0.5]), config, tmp_path, device="cpu")
    kept = sorted((tmp_path / "snapshots").iterdir())
    assert [path.stem for path in kept] == ["00000014", "00000021", "00000028"]
    snapshots = [checkpoint.load(path).weights for path in kept]
    assert result.best == tmp_path / "averaged.safetensors"  # it was the best
    assert result.metrics == {"error": 0.5}
    for name, value in checkpoint.load(result.best).weights.items():
        torch.testing.assert_close(value, torch.stack([weights[name] for weights in snapshots]).mean(0))


def test_a_finished_run_can_be_prolonged(tmp_path: Path) -> None:
    config = changed(epochs=1.5)
    longer = changed(epochs=3, average=2, learning_rate=0.01)
    fit(Toy(config), config, tmp_path, device="cpu")
    result = fit(Toy(longer), longer, tmp_path, resume=True, device="cpu")
    steps = [line["step"] for line in lines(tmp_path) if "loss" in line]
    assert steps == list(range(1, 22))
    rates = [line["learning_rate"] for line in lines(tmp_path) if "loss" in line]
    assert rates[11] == pytest.approx(learning_rate(longer, 11, 11 / 21), rel=1e-6)
    before = (tmp_path / "metrics.jsonl").read_text()
    assert fit(Toy(longer), longer, tmp_path, resume=True, device="cpu") == result  # nothing left to do
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_it_starts_from_another_model_as_far_as_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fit(Toy(FAST), FAST, tmp_path / "first", device="cpu")
    still = changed(learning_rate=1e-12, weight_decay=0)
    other = Toy(still, outputs=3)
    fit(other, still, tmp_path / "second", start_from=first.last, device="cpu")
    given, taken = checkpoint.load(first.last).weights, other.model.state_dict()
    for name, value in given.items():
        if name.startswith("gru"):
            torch.testing.assert_close(taken[name], value)
    told = capsys.readouterr().err
    assert "4 of 6 tensors copied; not copied: head.weight is [3, 6], was [1, 6], head.bias is [3]" in told


class Silent(Toy):
    """Has something to say."""

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Say it."""
        return "only blanks"


def test_a_task_may_say_something_after_the_first_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = changed(validate_every=0.5, epochs=3)
    fit(Silent(config), config, tmp_path, device="cpu")
    told = capsys.readouterr().err
    assert told.count("only blanks") == 1
    assert told.index("epoch 1.00  validation") < told.index("only blanks") < told.index("epoch 1.57")


def test_a_bar_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    fit(Toy(FAST), FAST, tmp_path, device="cpu")
    told = capsys.readouterr().err
    assert "s of audio/s" in told
    assert "epoch 2.00  validation: error" in told


def test_tensorboard_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    config = changed(tensorboard=True)
    with pytest.raises(ConfigError, match=r"pip install 'audioseq\[tensorboard\]'"):
        fit(Toy(config), config, tmp_path, device="cpu")


def test_a_task_without_batches(tmp_path: Path) -> None:
    task = Toy(FAST)
    task.plan = lambda epoch: []  # type: ignore[method-assign]
    with pytest.raises(DataError, match="no batches"):
        fit(task, FAST, tmp_path, device="cpu")


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda:99"):
        fit(Toy(FAST), FAST, tmp_path, device="cuda:99")


def test_workers_change_nothing(start: Start, tmp_path: Path) -> None:
    runs = [tmp_path / str(workers) for workers in (0, 2)]
    for run_dir in runs:
        process = start(run_dir, changed(workers=int(run_dir.name), average=2))
        process.join()
        assert process.exitcode == 0
    assert_same_end(*runs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.floats(0, 1), st.integers(0, 100), st.floats(0, 1))
def test_the_learning_rate_rises_stays_and_falls(update: int, done: float, warmup: int, decay: float) -> None:
    config = TrainingConfig(learning_rate=0.5, warmup=warmup, decay=decay)
    rate = learning_rate(config, update, done)
    assert 0 < rate <= 0.5
    if update >= warmup and done <= 1 - decay - 1e-9:
        assert rate == 0.5
    if decay and update >= warmup:
        assert learning_rate(config, update, 1.0) == pytest.approx(0.005)
        assert learning_rate(config, update, min(1.0, done + 0.1)) <= rate


def test_biases_do_not_decay() -> None:
    model = Toy(FAST).model
    decaying, rest = make_optimizer(model, changed(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], rest["weight_decay"]) == (0.3, 0.0)
    assert len(decaying["params"]) == 3
    assert len(rest["params"]) == 3
