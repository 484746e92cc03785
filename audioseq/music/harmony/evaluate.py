"""Evaluate a model of four-part harmony: negative log-likelihood and rules of part-writing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import DataError
from audioseq.music.data.corpora import read_manifest
from audioseq.music.harmony.generate import PartialHarmonisation, generate
from audioseq.music.harmony.pipeline import DEFAULT_SAMPLING, load_harmoniser
from audioseq.music.harmony.task import evaluate_nll
from audioseq.music.harmony.voices import hold_through_rests, load_pieces
from audioseq.music.representation.part_writing import REST, RuleCounts, count_violations


def evaluate(model: str | Path, manifest: str | Path, device: str = "auto") -> dict[str, Any]:
    """Compute the negative log-likelihood per voice and sixteenth, and count parallels and crossings.

    The counts are of the reference pieces and of harmonisations of their sopranos, sampled once with the
    rules of part-writing and once without. As in `extract_melody`, the model sees the soprano's rests as held
    notes; in the harmonisation all voices rest there.

    Args:
        model: name of a model, or path of its file.
        manifest: pieces in four voices; unreadable ones are reported and skipped.
        device: `auto`, `cpu`, `cuda`, `cuda:1`.
    Raises:
        DataError: no piece can be read.
    """
    harmoniser = load_harmoniser(model, device)
    pieces = list(load_pieces(read_manifest(manifest)).values())
    if not pieces:
        raise DataError(f"{manifest}: no usable pieces; give a manifest of pieces in four voices")
    metrics: dict[str, Any] = {
        "pieces": len(pieces),
        "sixteenths": sum(map(len, pieces)),
        **evaluate_nll(harmoniser.model, pieces),
        "theirs": _count_rules(pieces),
    }
    for name, strict in (("ours", True), ("ours_without_rules", False)):
        generated = [
            PartialHarmonisation(hold_through_rests(piece[:, 0]), np.random.default_rng([0, number]))
            for number, piece in enumerate(pieces)
        ]
        generate(harmoniser.model, generated, DEFAULT_SAMPLING, strict=strict)
        pairs = zip(pieces, generated, strict=True)
        metrics[name] = _count_rules(
            [np.where(piece[:, :1] == REST, REST, own.frames) for piece, own in pairs]
        )
    return metrics


def _count_rules(pieces: list[np.ndarray]) -> dict[str, Any]:
    """Return the counts of pieces, also per hundred chords."""
    counts = sum(map(count_violations, pieces), RuleCounts())
    return asdict(counts) | {"per_100_chords": counts.per_100()}
