"""Model files (weights, config and tokenizer in one safetensors file) and training state."""

from __future__ import annotations

from audioseq.checkpoint.header import Header, is_onnx, read_header, to_metadata
from audioseq.checkpoint.model_file import Checkpoint, Precision, load, mean, save
from audioseq.checkpoint.training_state import load_state, save_state

__all__ = [
    "Checkpoint",
    "Header",
    "Precision",
    "is_onnx",
    "load",
    "load_state",
    "mean",
    "read_header",
    "save",
    "save_state",
    "to_metadata",
]
