"""Choice of the precision, and the fallback to fp32."""

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
    """Raise the error of oneDNN on a CPU without bf16."""
    raise RuntimeError("could not create a primitive. Run workload with\nmore")


@pytest.mark.parametrize("requested", ["auto", "bf16"])
def test_fallback_to_fp32_logs_one_line(requested: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.LSTM, "forward", raises)
    log: list[str] = []
    assert choose_precision(requested, CPU, log.append) is torch.float32
    assert log == ["training in fp32: bf16 does not work on this cpu (could not create a primitive)"]


def test_bf16_is_selected_if_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.nn.LSTM, "forward", lambda self, x: (x * self.weight_ih_l0.sum().to(torch.bfloat16), None)
    )
    log: list[str] = []
    assert choose_precision("auto", CPU, log.append) is torch.bfloat16
    assert log == []


def test_fp32_does_not_test_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.LSTM, "forward", raises)
    assert choose_precision("fp32", CPU, lambda text: pytest.fail(text)) is torch.float32


def test_autocast_uses_the_precision() -> None:
    layer, x = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with autocast(CPU, torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert layer(x).dtype == torch.float32


class Linear(Toy):
    """Toy task with a linear model, which supports bf16 on every CPU."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.model = torch.nn.Linear(1, 1)  # type: ignore[assignment]

    def loss(self, batch: Batch, model: torch.nn.Module) -> Loss:
        """Return the squared error in fp32 of outputs in bf16."""
        y = model(batch.x)
        assert y.dtype == torch.bfloat16
        return Loss((y.float() - batch.y).square().sum(), batch.y.numel())

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        """Return a constant error."""
        return {"error": 1.0}


def test_training_in_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audioseq.training.precision._bf16_error", lambda device: None)
    config = TrainingConfig(epochs=1)
    result = fit(Linear(config), config, tmp_path, device="cpu")
    assert result.skipped == 0
