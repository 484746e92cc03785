"""Run ONNX graphs with ONNX Runtime on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from audioseq.errors import CheckpointError

THREADS_VARIABLE = "OMP_NUM_THREADS"
"""Environment variable with the number of threads, as for torch; the default is the number of cores."""
MAX_THREADS = 8
"""More threads do not make a recurrent network faster."""


class Session:
    """A graph that is ready to run.

    Args:
        content: the content of an ONNX file.
        where: name of the model in error messages.
    Raises:
        CheckpointError: the graph is damaged, or its sizes contradict each other.
    """

    def __init__(self, content: bytes, where: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = thread_count()
        options.log_severity_level = 4  # errors are raised
        # An arena would keep the memory of the largest batch, for each of the shapes that occur.
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        # Threads that spin while they wait take the time of other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of many types, which are not public
            raise CheckpointError(
                f"{where}: is damaged or not a model file ({_reason(error)}); download or export it again"
            ) from None

        vars(self._session)["_model_bytes"] = b""  # otherwise kept, although the session has its own copy

    def __call__(self, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute named outputs from named inputs."""
        return cast(list[NDArray[Any]], self._session.run(list(outputs), dict(inputs)))


def thread_count() -> int:
    """Return the number of threads: `$OMP_NUM_THREADS`, or one for each core that the process may use."""
    chosen = os.environ.get(THREADS_VARIABLE, "")
    if chosen.isdecimal() and int(chosen) > 0:
        return int(chosen)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_THREADS)


def pad(rows: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Stack rows `[N]` to `[B, max N]`, padded with zeros, and return their lengths `[B]`."""
    lengths = np.array([len(row) for row in rows])
    padded = np.zeros((len(rows), lengths.max()), np.float32)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded, lengths


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ascii(lines[0][:160])[1:-1]  # a hostile file must not write control codes
