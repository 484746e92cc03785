"""Acoustic models in two runtimes: torch, or ONNX Runtime, which starts faster and needs no torch."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from audioseq import checkpoint, models
from audioseq.checkpoint import Checkpoint, Header
from audioseq.config import parse
from audioseq.errors import ConfigError
from audioseq.memory import release_freed_memory
from audioseq.runtime.session import Session, pad
from audioseq.speech.config import SpeechConfig
from audioseq.speech.graph import FRAMES, LENGTHS, LOG_PROBS, WAVEFORMS, build_graph, frame_seconds
from audioseq.speech.stream_graph import OnnxWindowModel, build_stream_graph
from audioseq.speech.windows import WindowModel

Runtime = Literal["auto", "onnx", "torch"]
"""Library that runs a model; `auto` is ONNX Runtime on the CPU, and torch on a GPU."""

STREAM_TASK = "streams of speech"
"""Task in the header of an ONNX file for streams, which does not transcribe recordings."""
MODULES = {"onnx": "onnxruntime", "torch": "torch"}
"""Module of each runtime."""


class EmissionModel(Protocol):
    """An acoustic model that computes emissions, in any runtime."""

    @property
    def frame_seconds(self) -> float:
        """Seconds between output frames."""

    def compute(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the log-probabilities `[T, V]` of each waveform `[N]` at 16 kHz, computed as one batch."""

    def window_model(self) -> WindowModel:
        """Return the model for streams.

        Raises:
            ConfigError: the model file has the graph for whole recordings only.
        """

    def weights(self) -> Mapping[str, NDArray[Any]]:
        """Return the weights by name, which identify the model."""


class OnnxModel:
    """An acoustic model run by ONNX Runtime.

    Args:
        session: the graph of `build_graph`.
        config: config of the model.
        path: the file that the model was read from.
    """

    def __init__(self, session: Session, config: SpeechConfig, path: Path) -> None:
        self._session, self._config, self._path = session, config, path
        self._window_model: OnnxWindowModel | None = None
        self.frame_seconds = frame_seconds(config)

    def compute(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the log-probabilities `[T, V]` of each waveform `[N]` at 16 kHz."""
        padded, lengths = pad(waveforms)
        log_probs, frames = self._session([LOG_PROBS, FRAMES], {WAVEFORMS: padded, LENGTHS: lengths})
        return [row[:count] for row, count in zip(log_probs, frames, strict=True)]

    def window_model(self) -> WindowModel:
        """Return the model for streams, which is built at the first call."""
        if checkpoint.is_onnx(self._path):
            raise ConfigError(
                f"{self._path}: has the graph for whole recordings only; give the model file that it was "
                "exported from"
            )
        if self._window_model is None:
            weights = checkpoint.load(self._path).arrays
            self._window_model = OnnxWindowModel(self._config, weights, str(self._path))
        return self._window_model

    def weights(self) -> Mapping[str, NDArray[Any]]:
        """Read the weights again: the session has them in another form."""
        if checkpoint.is_onnx(self._path):
            return {"": np.frombuffer(self._path.read_bytes(), np.uint8)}
        return checkpoint.load(self._path).arrays


def load_emission_model(
    model: str | Path | None, device: str = "auto", runtime: Runtime = "auto"
) -> tuple[EmissionModel, Header]:
    """Load an acoustic model by its name or the path of its file, with the header of the file.

    Args:
        model: name or path of a model file, or of an ONNX file exported from one; None for the default model.
        device: as in `choose_device`.
        runtime: library that runs the model.
    Raises:
        CheckpointError: the model does not exist, or its file is damaged or of another task.
        ConfigError: the device does not exist, the runtime is not installed, or they do not fit together.
    """
    path = models.resolve(models.default_for("speech") if model is None else model, "speech")
    if checkpoint.is_onnx(path):
        return _open_onnx(path, device, runtime)
    config, stored = models.open_model(path, "speech", SpeechConfig)
    header = stored.header
    if choose_runtime(device, runtime) == "onnx":
        content = to_onnx(config, stored)
        del stored  # its memory is free for the session
        session = Session(content, str(path))
        del content
        release_freed_memory()  # of the model file and the graph
        return OnnxModel(session, config, path), header
    from audioseq.speech.model import restore

    return restore(config, stored, device), header


def to_onnx(config: SpeechConfig, stored: Checkpoint, *, int8: bool = False, stream: bool = False) -> bytes:
    """Return the content of an ONNX file of a model file, with its header.

    Args:
        config: config of the model.
        stored: the model file.
        int8: multiply matrices as integers; only without `stream`.
        stream: build the graph of the windows of a stream, instead of that of whole recordings.
    Raises:
        CheckpointError: the weights do not match the config, or are not finite.
    """
    stored.check_finite()
    header = replace(stored.header, task=STREAM_TASK) if stream else stored.header
    metadata = checkpoint.to_metadata(header)
    try:
        if stream:
            return build_stream_graph(config, stored.arrays, metadata)[0]
        return build_graph(config, stored.arrays, metadata, int8=int8)
    except (KeyError, ValueError, IndexError) as error:
        raise stored.misfit() from error


def choose_runtime(device: str, runtime: Runtime) -> Literal["onnx", "torch"]:
    """Return the runtime for a device.

    `auto` is torch on a GPU, and ONNX Runtime on the CPU, where it starts faster and computes faster.

    Raises:
        ConfigError: the runtime is not installed, or does not run on the device.
    """
    installed = {name for name, module in MODULES.items() if importlib.util.find_spec(module) is not None}
    on_gpu = device not in ("auto", "cpu")
    if runtime == "onnx" and on_gpu:
        raise ConfigError(f"device {device}: ONNX Runtime runs on the CPU only; use --runtime torch")
    if runtime == "auto":
        if device == "auto" and "torch" in installed:
            on_gpu = shutil.which("nvidia-smi") is not None
        runtime = "torch" if on_gpu or "onnx" not in installed else "onnx"
    if runtime not in installed:
        raise ConfigError(f"runtime {runtime}: is not installed; run: pip install {MODULES[runtime]}")
    return runtime


def _open_onnx(path: Path, device: str, runtime: Runtime) -> tuple[EmissionModel, Header]:
    """Open a file that `to_onnx` made."""
    if runtime == "torch" or device not in ("auto", "cpu"):
        raise ConfigError(
            f"{path}: is an ONNX file, which ONNX Runtime runs on the CPU only; leave out --runtime and "
            "--device, or give the model file that it was exported from"
        )
    choose_runtime("cpu", "onnx")
    header = checkpoint.read_header(path, task="speech")
    config = parse(SpeechConfig, header.config, f"the config in {path}")
    return OnnxModel(Session(path.read_bytes(), str(path)), config, path), header
