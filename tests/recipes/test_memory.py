"""Tests of the recipe memory-lstm: problems, task, a smoke run, and the published results."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from audioseq.config import load
from tests.recipes.script import importer, run

RECIPE = Path(__file__).parents[2] / "recipes" / "memory-lstm"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    return importer(RECIPE, monkeypatch)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_adding_marks_one_number_in_each_half(recipe: Callable[[str], Any]) -> None:
    x, y = recipe("memory").draw_adding(generator(), 4000, 7)
    numbers, marks = x.unbind(2)
    assert marks[:, :3].sum(1).eq(1).all() and marks[:, 3:].sum(1).eq(1).all()
    assert marks.sum(0).gt(0).all()  # every frame is marked in some sequence
    assert torch.allclose(y[:, 0], numbers[marks.bool()].view(-1, 2).sum(1))
    assert (y - 1).square().mean().item() == pytest.approx(1 / 6, rel=0.05)


def test_copy_requires_the_symbols_at_the_end(recipe: Callable[[str], Any]) -> None:
    memory = recipe("memory")
    x, y = memory.draw_copy(generator(), 3, 5)
    symbols = x.argmax(2)
    assert x.shape == (3, 10 + 5 + 10, 10) and x.sum(2).eq(1).all()
    assert torch.equal(symbols[:, :10], y)
    assert symbols[:, 10:].tolist() == [[8] * 4 + [9] + [8] * 10] * 3
    guess = memory.PROBLEMS["copy"].error(torch.zeros(3, 10, 8), y)
    assert guess.item() == pytest.approx(memory.PROBLEMS["copy"].baseline) == pytest.approx(math.log(8))


def test_chrono_time_scales_span_the_length(recipe: Callable[[str], Any]) -> None:
    model = recipe("memory").Memory("adding", "lstm_chrono", 200, 512)
    input_gate, forget_gate, *rest = model.recurrent.forward_layer.bias_ih_l0.detach().view(4, 512)
    assert torch.equal(input_gate, -forget_gate) and not torch.stack(rest).any()
    frames = 1 / (1 - forget_gate.sigmoid())  # time scale of each cell
    assert frames.min() >= 2 - 1e-3 and 190 < frames.max() < 201
    assert frames.mean().item() == pytest.approx(101, rel=0.1)


def test_sequences_depend_only_on_epoch_and_index(recipe: Callable[[str], Any], tmp_path: Path) -> None:
    import numpy as np

    memory = recipe("memory")
    held_out = memory.draw_adding(generator(), 2, 6)
    np.savez(tmp_path / "adding.npz", x=held_out.x.numpy(), y=held_out.y.numpy())
    options = {"problem": "adding", "network": "gru", "length": 6, "hidden_size": 4}

    def task() -> Any:
        return memory.MemoryTask(options, tmp_path / "adding.npz", batch_size=3, batches=2, seed=1)

    whole = task()
    assert whole.plan(0) == [[0, 1, 2], [3, 4, 5]]
    batch = whole.collate([3, 4, 5], 1)
    assert torch.equal(task().collate([5], 1).x, batch.x[2:])
    assert not torch.equal(whole.collate([3, 4, 5], 0).x, batch.x)
    assert torch.equal(whole.held_out.x, held_out.x)
    loss = whole.loss(batch, whole.model)
    parts = [whole.loss(whole.collate([i], 1), whole.model).total for i in (3, 4, 5)]
    assert loss.weight == 3 and torch.allclose(loss.total, torch.stack(parts).sum())


def test_smoke_run_learns_and_publishes(
    recipe: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("__pycache__", "results.json", "memory.png"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*adding-6\.npz: is missing; run prepare\.py first"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)

    run(copy / "prepare.py", "--smoke", monkeypatch=monkeypatch)
    run(copy / "train.py", "--smoke", "--publish", "a test", monkeypatch=monkeypatch)
    results = json.loads((copy / "results.json").read_text(encoding="utf-8"))
    assert [run["solved"] for run in results["runs"]] == [True, True, False]
    assert results["hardware"] == "a test"
    assert recipe("report").section(results) in (copy / "README.md").read_text(encoding="utf-8")
    assert (copy / "memory.png").stat().st_size > 10_000
    assert (copy / "results.json").read_bytes() == (tmp_path / "runs/memory/results.json").read_bytes()

    capsys.readouterr()
    run(copy / "infer.py", "runs/memory/adding-6-gru/best.safetensors", "-n", "9", monkeypatch=monkeypatch)
    predictions = [
        line.removeprefix("expected ").split(", predicted ") for line in capsys.readouterr().out.splitlines()
    ]
    assert len(predictions) == 9
    assert all(abs(float(expected) - float(predicted)) < 0.3 for expected, predicted in predictions)


def test_published_results_match_readme_and_conclusions(recipe: Callable[[str], Any]) -> None:
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert recipe("report").section(results) in (RECIPE / "README.md").read_text(encoding="utf-8")
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml")
    results_by_key = {(run["problem"], run["length"], run["network"]): run for run in results["runs"]}
    expected = {
        (experiment.problem, experiment.length, network)
        for experiment in config.experiments
        for network in experiment.networks
    }
    assert results_by_key.keys() == expected
    assert {length for problem, length, _ in results_by_key if problem == "adding"} == {50, 100, 200, 600}
    for length in (100, 200, 600):
        plain = results_by_key["adding", length, "rnn_tanh"]
        assert plain["error"] > 0.9 * plain["baseline"]
    for found in results_by_key.values():
        assert found["solved"] == (found["error"] <= 0.05 * found["baseline"])
        assert found["solved"] or found["network"] == "rnn_tanh"  # gated networks solve every problem
    assert results["cpu_minutes"] < 2 * 15  # at most 15 minutes with two processes
    assert results["clipping"]["error"]["clipped"] < 0.25 < 1e6 < results["clipping"]["error"]["not clipped"]
