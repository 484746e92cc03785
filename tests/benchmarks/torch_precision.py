"""Run `audioseq` with the acoustic model of torch in bf16 or int8, for `bench_runtime`.

    python -m tests.benchmarks.torch_precision bf16|int8 transcribe FILES... --runtime torch

bf16 is autocast. int8 is the dynamic quantisation of LSTM and linear layers by `torch.ao.quantization`.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import torch
from torch import nn

from audioseq.cli.main import run
from audioseq.nn import Recurrent
from audioseq.speech import model
from audioseq.speech.model import AcousticModel

restore = model.restore


def restore_bf16(*arguments: Any) -> AcousticModel:
    """Load the model, to compute in bf16."""
    network = restore(*arguments)
    compute = network.compute

    def autocast(waveforms: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return compute(waveforms)

    network.compute = autocast  # type: ignore[method-assign]
    return network


def restore_int8(*arguments: Any) -> AcousticModel:
    """Load the model, and quantise its LSTM and linear layers."""
    from torch.ao.quantization import quantize_dynamic

    # Quantised layers hide their weights, on which `Recurrent` calls the kernel of torch. Whole sequences
    # need neither the state before nor after, and the padding is at their end.
    Recurrent._run = lambda self, layer, x, *_: (layer(x)[0], None)  # type: ignore[assignment]
    with warnings.catch_warnings(action="ignore"):  # it is deprecated
        network: AcousticModel = quantize_dynamic(restore(*arguments), {nn.LSTM, nn.Linear}, torch.qint8)
    return network


if __name__ == "__main__":
    model.restore = {"bf16": restore_bf16, "int8": restore_int8}[sys.argv[1]]  # type: ignore[assignment]
    sys.exit(run(sys.argv[2:]))
