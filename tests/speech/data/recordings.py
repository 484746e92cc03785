"""Small recordings with their texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf


def tone(path: Path, seconds: float = 1.0, level: float = 0.3) -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, level * np.sin(np.arange(round(seconds * 8000)) * 0.5), 8000)
    return path


def record(path: Path, text: str, **options: float) -> Path:
    """Write a tone with a text file beside it."""
    tone(path, **options).with_suffix(".txt").write_text(text, encoding="utf-8")
    return path
