"""Updates, epochs and runs of the toy task."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from audioseq import checkpoint
from audioseq.config import load
from audioseq.errors import ConfigError, DataError
from audioseq.training import GivesAdvice, Loss, TrainingConfig, fit, loop
from audioseq.training.optim import learning_rate, make_optimizer
from audioseq.training.run import RunDirectory, TrainingProgress
from tests.training.conftest import Start, assert_same_result, lines
from tests.training.toy import Batch, Toy

FAST = TrainingConfig(epochs=2, learning_rate=0.02, warmup=4, precision="fp32")


def changed(**values: object) -> TrainingConfig:
    """Return FAST with changed values."""
    return TrainingConfig(**{**FAST.model_dump(), **values})


def losses(run_dir: Path) -> list[float]:
    """Return the loss of each update."""
    return [line["loss"] for line in lines(run_dir) if "loss" in line]


def validation_errors(run_dir: Path) -> list[float]:
    """Return the error of each validation."""
    return [line["valid"]["error"] for line in lines(run_dir) if "valid" in line and "average" not in line]


def test_training_reduces_the_error_and_writes_all_files(tmp_path: Path) -> None:
    config = changed(epochs=12)
    task = Toy(config)
    result = fit(task, config, tmp_path, card={"data": "made up"}, device="cpu")
    errors = validation_errors(tmp_path)
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


def test_update_equals_plain_pytorch(tmp_path: Path) -> None:
    """Compare with a plain loop: mean loss over all frames, gradient clipping, AdamW."""
    config = changed(epochs=1, warmup=0, decay=0.0, clip=0.3, weight_decay=0.1)
    task, plain = Toy(config, random=False), Toy(config, random=False)
    fit(task, config, tmp_path, device="cpu")
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in plain.model.parameters() if p.ndim > 1], "weight_decay": 0.1},
            {"params": [p for p in plain.model.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=0.02,
        betas=config.betas,
    )
    for indices in plain.plan(0):
        optimizer.zero_grad()
        loss = plain.loss(plain.collate(indices, 0), plain.model)
        (loss.total / loss.weight).backward()
        nn.utils.clip_grad_norm_(plain.model.parameters(), 0.3)
        optimizer.step()
    for actual, expected in zip(task.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)


def test_accumulated_batches_equal_a_larger_batch(tmp_path: Path) -> None:
    for accumulate, batch in (1, 8), (2, 4), (4, 2):
        config = changed(accumulate=accumulate)
        fit(Toy(config, batch=batch, random=False), config, tmp_path / str(batch), device="cpu")
    assert losses(tmp_path / "4") == pytest.approx(losses(tmp_path / "8"), rel=1e-5)
    assert losses(tmp_path / "2") == pytest.approx(losses(tmp_path / "8"), rel=1e-5)


def test_non_finite_losses_are_skipped_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fit(Toy(FAST, poison=[3], batch=1), FAST, tmp_path, device="cpu")
    assert result.skipped == 2  # one per epoch
    assert all(value.isfinite().all() for value in checkpoint.load(result.last).weights.values())
    assert losses(tmp_path).count(None) == 2  # type: ignore[arg-type]
    assert sum(line["skipped"] for line in lines(tmp_path) if "skipped" in line) == 2
    log = capsys.readouterr().err
    assert "batches skipped: 1" in log
    assert "batches skipped because loss or gradient was not finite: 2" in log


def test_non_finite_batch_does_not_affect_the_rest_of_the_update(tmp_path: Path) -> None:
    """The other batches of the update count as if the non-finite batch did not exist."""
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
    """Toy task with finite losses and infinite gradients, from the square root at 0."""

    def loss(self, batch: Batch, model: nn.Module) -> Loss:
        """Add 0 with an infinite slope."""
        loss = super().loss(batch, model)
        return Loss(loss.total + (0 * loss.total).sqrt(), loss.weight)


def test_non_finite_gradients_are_skipped(tmp_path: Path) -> None:
    task = Exploding(FAST)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    assert fit(task, FAST, tmp_path, device="cpu").skipped == 14
    assert all(value.equal(before[name]) for name, value in task.model.state_dict().items())


def test_early_stopping(tmp_path: Path) -> None:
    config = changed(epochs=9, patience=2)
    task = Toy(config, errors=[3, float("nan"), 2, 2.5, 2, 1, 0])
    result = fit(task, config, tmp_path, device="cpu")
    assert [line["valid"]["error"] for line in lines(tmp_path) if "valid" in line] == [3, None, 2, 2.5, 2]
    assert result.metrics == {"error": 2}
    assert checkpoint.read_header(result.best).card["epochs"] == 3
    assert checkpoint.read_header(result.last).card["epochs"] == 5


def test_last_models_are_averaged(tmp_path: Path) -> None:
    config = changed(epochs=4, average=3)
    result = fit(Toy(config, errors=[4, 3, 2, 1, 0.5]), config, tmp_path, device="cpu")
    kept = sorted((tmp_path / "snapshots").iterdir())
    assert [path.stem for path in kept] == ["00000014", "00000021", "00000028"]
    snapshots = [checkpoint.load(path).weights for path in kept]
    assert result.best == tmp_path / "averaged.safetensors"  # it is the best model
    assert result.metrics == {"error": 0.5}
    for name, value in checkpoint.load(result.best).weights.items():
        torch.testing.assert_close(value, torch.stack([weights[name] for weights in snapshots]).mean(0))


def test_the_state_is_saved_after_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that says each time that 25 more seconds have passed, within an epoch of 7 updates."""
    ticks = itertools.count(0, 25)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    saved: list[int] = []
    save_state = RunDirectory.save_state

    def record(run: RunDirectory, progress: TrainingProgress, state: Mapping[str, Any]) -> None:
        saved.append(progress.update)
        save_state(run, progress, state)

    monkeypatch.setattr(RunDirectory, "save_state", record)
    config = changed(epochs=1, save_every=1000)
    fit(Toy(config), config, tmp_path / "rarely", device="cpu")
    assert saved == [7]
    saved.clear()
    config = changed(epochs=1, save_every=1000, save_minutes=1)
    fit(Toy(config), config, tmp_path / "often", device="cpu")
    assert saved[-1] == 7 and 2 <= len(saved) < 7
    assert losses(tmp_path / "often") == losses(tmp_path / "rarely")


def test_finished_run_can_be_extended(tmp_path: Path) -> None:
    config = changed(epochs=1.5)
    longer = changed(epochs=3, average=2, learning_rate=0.01)
    fit(Toy(config), config, tmp_path, device="cpu")
    result = fit(Toy(longer), longer, tmp_path, resume=True, device="cpu")
    steps = [line["step"] for line in lines(tmp_path) if "loss" in line]
    assert steps == list(range(1, 22))
    rates = [line["learning_rate"] for line in lines(tmp_path) if "loss" in line]
    assert rates[11] == pytest.approx(learning_rate(longer, 11, 11 / 21), rel=1e-6)
    before = (tmp_path / "metrics.jsonl").read_text()
    assert fit(Toy(longer), longer, tmp_path, resume=True, device="cpu") == result  # nothing to do
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_warm_start_copies_the_fitting_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = fit(Toy(FAST), FAST, tmp_path / "first", device="cpu")
    frozen = changed(learning_rate=1e-12, weight_decay=0)
    other = Toy(frozen, outputs=3)
    fit(other, frozen, tmp_path / "second", start_from=first.last, device="cpu")
    source, copied = checkpoint.load(first.last).weights, other.model.state_dict()
    for name, value in source.items():
        if name.startswith("gru"):
            torch.testing.assert_close(copied[name], value)
    log = capsys.readouterr().err
    assert "4 of 6 tensors copied; not copied: head.weight is [3, 6], was [1, 6], head.bias is [3]" in log


class AdvisingToy(Toy, GivesAdvice):
    """Toy task that gives advice."""

    def advice(self, metrics: dict[str, float]) -> str | None:
        """Return the advice."""
        return "only blanks"


def test_advice_is_logged_once_after_the_first_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = changed(validate_every=0.5, epochs=3)
    fit(AdvisingToy(config), config, tmp_path, device="cpu")
    log = capsys.readouterr().err
    assert log.count("only blanks") == 1
    assert log.index("epoch 1.00  validation") < log.index("only blanks") < log.index("epoch 1.57")


def test_progress_bar_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    fit(Toy(FAST), FAST, tmp_path, device="cpu")
    log = capsys.readouterr().err
    assert "s of audio/s" in log
    assert "epoch 2.00  validation: error" in log


def test_missing_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    config = changed(tensorboard=True)
    with pytest.raises(ConfigError, match=r"pip install 'audioseq\[tensorboard\]'"):
        fit(Toy(config), config, tmp_path, device="cpu")


def test_task_without_batches(tmp_path: Path) -> None:
    task = Toy(FAST)
    task.plan = lambda epoch: []  # type: ignore[method-assign]
    with pytest.raises(DataError, match="no batches"):
        fit(task, FAST, tmp_path, device="cpu")


def test_missing_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="device cuda:99"):
        fit(Toy(FAST), FAST, tmp_path, device="cuda:99")


def test_workers_do_not_change_the_result(start: Start, tmp_path: Path) -> None:
    runs = [tmp_path / str(workers) for workers in (0, 2)]
    for run_dir in runs:
        process = start(run_dir, changed(workers=int(run_dir.name), average=2))
        process.join()
        assert process.exitcode == 0
    assert_same_result(*runs)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 500), st.floats(0, 1), st.integers(0, 100), st.floats(0, 1))
def test_learning_rate_schedule(update: int, progress: float, warmup: int, decay: float) -> None:
    config = TrainingConfig(learning_rate=0.5, warmup=warmup, decay=decay)
    rate = learning_rate(config, update, progress)
    assert 0 < rate <= 0.5
    if update >= warmup and progress <= 1 - decay - 1e-9:
        assert rate == 0.5
    if decay and update >= warmup:
        assert learning_rate(config, update, 1.0) == pytest.approx(0.005)
        assert learning_rate(config, update, min(1.0, progress + 0.1)) <= rate


def test_weight_decay_excludes_biases() -> None:
    model = Toy(FAST).model
    decaying, rest = make_optimizer(model, changed(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], rest["weight_decay"]) == (0.3, 0.0)
    assert len(decaying["params"]) == 3
    assert len(rest["params"]) == 3
