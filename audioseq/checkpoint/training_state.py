"""Training state: tensors and plain values in one file, from which a run is resumed."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audioseq.checkpoint.header import damaged
from audioseq.errors import CheckpointError
from audioseq.files import reading, write_bytes


def save_state(path: str | Path, state: Mapping[str, Any]) -> None:
    """Write training state (tensors and plain values) atomically; FileError if it cannot be written."""
    import torch

    buffer = io.BytesIO()  # if torch wrote the file itself, a full disk would raise a RuntimeError
    torch.save(dict(state), buffer)
    write_bytes(path, buffer.getbuffer())


def load_state(path: str | Path) -> dict[str, Any]:
    """Load training state; only tensors and plain values are unpickled.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    import torch

    with reading(path, CheckpointError):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # of many types, IndexError and struct.error among them
            raise damaged(path, error) from None
    if not isinstance(state, dict):
        raise damaged(path, "it does not contain a table")
    return state
