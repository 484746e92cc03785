"""The precision is tried, and falls back with one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from audioseq.training import Loss, TrainingConfig, fit
from audioseq.training.precision import autocast, choose_precision
from tests.training.toy import Batch, Toy

CPU = torch.device("cpu")


def raises(*_: Any, **__: Any) -> Any:
    """Fail as oneDNN does on a CPU without bf16."""
    raise RuntimeError("could not create a primitive. Run workload with\nmore")


@pytest.mark.parametrize("wanted", ["auto", "bf16"])
def test_it_falls_back_with_one_line(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.LSTM, "forward", raises)
    told: list[str] = []
    assert choose_precision(wanted, CPU, told.append) is torch.float32
    assert told == ["training in fp32: bf16 does not work on this cpu (could not create a primitive)"]


def test_it_takes_bf16_where_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.nn.LSTM, "forward", lambda self, x: (x * self.weight_ih_l0.sum().to(torch.bfloat16), None)
    )
    told: list[str] = []
    assert choose_precision("auto", CPU, told.append) is torch.bfloat16
    assert told == []


def test_fp32_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.LSTM, "forward", raises)
    assert choose_precision("fp32", CPU, lambda text: pytest.fail(text)) is torch.float32


def test_the_loss_is_computed_in_it() -> None:
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with autocast(CPU, torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert layer(x).dtype == torch.float32


class Linear(Toy):
    """A model whose layers know bf16 on every CPU."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.model = torch.nn.Linear(1, 1)  # type: ignore[assignment]

    def loss(self, batch: Batch, model: torch.nn.Module) -> Loss:
        """Squared error in fp32 of outputs in bf16."""
        y = model(batch.x)
        assert y.dtype == torch.bfloat16
        return Loss((y.float() - batch.y).square().sum(), batch.y.numel())

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        """Nothing."""
        return {"error": 1.0}


def test_training_in_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioseq.training.precision._why_not_bf16", lambda device: None)
    config = TrainingConfig(epochs=1)
    result = fit(Linear(config), config, tmp_path, device="cpu")
    assert result.skipped == 0
