"""The acoustic model over windows of a stream as an ONNX graph, with states as inputs and outputs.

The graph computes the same as `AcousticModel.compute_window`, with the log-mel features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audioseq.audio.mel import N_FFT
from audioseq.runtime.graph import Graph, Weights, log_softmax, select, stack_frames, subsample
from audioseq.runtime.session import Session
from audioseq.runtime.windows import NEXT_STATE, STATE, WindowStates, recurrent_stack_window
from audioseq.speech.config import PHONE_TEMPERATURE, SpeechConfig
from audioseq.speech.graph import LOG_PROBS, check_sizes, head, log_mel
from audioseq.speech.windows import Framing, Window

WAVEFORM, WINDOW = "waveform", "window"
"""Names of the inputs besides the states: float32 `[1, N]`, and the counts of a `Window`, int64 `[5]`."""


def build_stream_graph(
    config: SpeechConfig, weights: Weights, metadata: Mapping[str, str]
) -> tuple[bytes, list[int]]:
    """Return the content of an ONNX file, and the size of each of its states.

    Args:
        config: of the model.
        weights: by the names of the torch model.
        metadata: texts to store in the file.
    Raises:
        KeyError, ValueError, IndexError: the weights do not match the config.
    """
    check_sizes(config.model, weights)
    model, graph = config.model, Graph()
    states = WindowStates(graph, model.cell)
    waveform = graph.input(WAVEFORM, "float32", [1, "N"])
    counts = graph.input(WINDOW, "int64", [5])
    skipped_features, features, skipped_frames, frames, steps = (
        graph.op("Slice", counts, graph.constant([i]), graph.constant([i + 1])) for i in range(5)
    )

    def stack(x: str, name: str, kept: str) -> str:
        part = select(weights, f"{name}.")
        return recurrent_stack_window(graph, x, kept, states, part, model.cell, residual=True)

    def slice_time(x: str, start: str, end: str) -> str:
        return graph.op("Slice", x, start, end, graph.constant([1]))

    zero, size = graph.constant([0]), model.frame_stacking
    samples = graph.op("Shape", waveform, start=1, end=2)
    x = log_mel(graph, waveform, samples, model, select(weights, "log_mel."))
    x = slice_time(x, skipped_features, graph.op("Add", skipped_features, features))
    x, _ = subsample(graph, x, features, select(weights, "subsample."))
    x = slice_time(x, skipped_frames, graph.op("Add", skipped_frames, frames))
    kept = graph.op("Min", graph.op("Mul", steps, graph.constant([size])), frames)
    x = stack(x, "lower", kept)
    width = model.lower_size * (2 if model.bidirectional else 1)
    x, _ = stack_frames(graph, x, frames, size, width)
    x = stack(x, "upper", steps)
    if model.p2g_layers:
        phones = slice_time(log_softmax(graph, head(graph, x, weights, "phone_head", size)), zero, frames)
        x = graph.op("Softmax", graph.op("Mul", phones, graph.constant(1 / PHONE_TEMPERATURE)), axis=-1)
        units = len(weights["phone_head.linear.bias"]) // size
        x, _ = stack_frames(graph, x, frames, size, units)
        x = stack(x, "p2g_decoder", steps)
    repeats = 1 if config.subwords else size
    scores = head(graph, slice_time(x, zero, steps), weights, "head", repeats)
    log_probs = log_softmax(graph, slice_time(scores, zero, frames))
    graph.output(LOG_PROBS, log_probs, "float32", [1, "T", len(weights["head.linear.bias"]) // repeats])
    return graph.to_bytes(metadata), states.sizes


class OnnxWindowModel:
    """An acoustic model that computes streams with ONNX Runtime, see `WindowModel`.

    Args:
        config: of the model.
        weights: by the names of the torch model.
        where: name of the model in error messages.
    """

    def __init__(self, config: SpeechConfig, weights: Weights, where: str) -> None:
        content, self._sizes = build_stream_graph(config, weights, {})
        self._session = Session(content, where)
        model = config.model
        self.framing = Framing(model.hop_length, N_FFT, len(model.channels), model.frame_stacking)

    def compute_window(
        self, waveform: NDArray[np.float32], window: Window, states: Sequence[Any] | None
    ) -> tuple[NDArray[np.float32], Sequence[Any]]:
        """Compute the emissions of a window of a stream."""
        if states is None:
            states = [np.zeros((1, 1, size), np.float32) for size in self._sizes]
        counts = (
            window.skipped_features, window.features, window.skipped_frames, window.frames, window.steps
        )  # fmt: skip
        inputs = {WAVEFORM: waveform[None], WINDOW: np.array(counts)}
        inputs |= {f"{STATE}{number}": state for number, state in enumerate(states)}
        outputs = [LOG_PROBS, *(f"{NEXT_STATE}{number}" for number in range(len(states)))]
        log_probs, *after = self._session(outputs, inputs)
        return log_probs[0], after
