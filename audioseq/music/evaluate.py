"""Evaluate a model on held-out pieces: negative log-likelihood in nats."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audioseq.device import choose_device
from audioseq.errors import DataError
from audioseq.models import open_model
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest
from audioseq.music.data.examples import read_examples
from audioseq.music.memorisation.fingerprint import TENSOR_NAME
from audioseq.music.model import MusicModel, build
from audioseq.music.representation import vocabulary as v
from audioseq.music.task import compute_metrics


@dataclass(frozen=True)
class Report:
    """Negative log-likelihood per note and per event, in nats.

    A note is one event. The nats of bar lines and of the end count in the nats per note too.
    """

    metrics: dict[str, float]
    """Metrics of each style and the mean of the styles, as named by `task.compute_metrics`."""
    pieces: dict[str, int]
    """Number of pieces of each style."""

    def summary(self) -> str:
        """Return a table as text."""
        lines = [f"{'':10s}{'pieces':>8s}{'nats per note':>16s}{'per event':>12s}"]
        for style, count in self.pieces.items():
            note, event = (self.metrics[f"nats_per_{unit}_{style}"] for unit in ("note", "event"))
            lines.append(f"{style:10s}{count:8d}{note:16.3f}{event:12.3f}")
        lines.append(f"{'mean':10s}{sum(self.pieces.values()):8d}{self.metrics['nats_per_note']:16.3f}")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values for JSON."""
        return {"pieces": self.pieces, **{name: round(value, 4) for name, value in self.metrics.items()}}


def load_network(model: str | Path | None = None, device: str = "auto") -> MusicModel:
    """Load the network of a music model, to compute likelihoods of many pieces at once.

    Raises:
        CheckpointError: the model does not exist, is damaged, or is for another task.
        ConfigError: the device does not exist.
    """
    config, stored = open_model(model, "music", MusicConfig)
    stored.arrays.pop(TENSOR_NAME, None)
    return stored.restore(lambda: build(config.model)).to(choose_device(device)).eval()


def evaluate(model: str | Path, manifest: str | Path, device: str = "auto") -> Report:
    """Evaluate how well a model predicts each event of pieces from the events before.

    Args:
        model: name of a model, or path of its file.
        manifest: of the pieces; unreadable files are logged and skipped.
    Raises:
        DataError: no piece is readable.
    """
    network = load_network(model, device)
    examples = read_examples(read_manifest(manifest))
    if not examples:
        raise DataError(f"{manifest}: has no readable piece; check its paths")
    pieces = Counter(v.STYLES[example.conditions.style] for example in examples)
    ordered = sorted(examples, key=lambda example: len(example.events))
    return Report(compute_metrics(network, ordered), dict(sorted(pieces.items())))
