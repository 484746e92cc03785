"""Write golden-1.safetensors, a model file in the format audioseq/1, which must stay readable.

This was run once, when the format was defined. A new format gets another golden file.

    python tests/data/make_golden.py
"""

from __future__ import annotations

from pathlib import Path

import torch

from audioseq import checkpoint

if __name__ == "__main__":
    embedding = torch.arange(12.0).reshape(4, 3) / 4
    weights = {
        "embedding.weight": embedding,
        "head.weight": embedding,
        "layer.bias": torch.tensor([-1.5, 0.0, 65504.0]),
        "mean": torch.tensor([1e6]),  # beyond fp16
        "steps": torch.tensor(7),
    }
    header = checkpoint.Header(
        task="speech",
        config={"model": {"cell": "lstm", "channels": [2, 3], "cache": None}},
        features={"n_mels": 80, "f_min": 20.0},
        tokenizer={"alphabet": " abcdefghijklmnopqrstuvwxyz'"},
        card={"data": [{"name": "Müller & 李", "licence": "CC BY 4.0"}], "wer": 0.5},
    )
    checkpoint.save(Path(__file__).with_name("golden-1.safetensors"), weights, header, precision="fp16")
