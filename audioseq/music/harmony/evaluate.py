"""How well a model foretells chorales that it has not learnt from, and how it keeps the rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from audioseq.errors import DataError
from audioseq.music.data.corpora import read_manifest
from audioseq.music.harmony.generate import PartialHarmonisation, generate
from audioseq.music.harmony.pipeline import DEFAULT_SAMPLING, load_harmoniser
from audioseq.music.harmony.rules import RuleCounts, count
from audioseq.music.harmony.task import evaluate_nll
from audioseq.music.harmony.voices import REST, hold_through_rests, load_pieces


def evaluate(model: str | Path, manifest: str | Path, device: str = "auto") -> dict[str, Any]:
    """Return nats per voice and sixteenth, and what the rules count in the pieces and in our harmonisations.

    Each soprano is harmonised once with the rules on, and once without. Its rests are told as if the note
    before them went on, as `melody.find` tells them, and are rests of all voices.

    Args:
        model: name of a model, or path of its file.
        manifest: pieces in four voices; those that cannot be read are told of and left out.
    Raises:
        DataError: no piece can be used.
    """
    harmoniser = load_harmoniser(model, device)
    pieces = list(load_pieces(read_manifest(manifest)).values())
    if not pieces:
        raise DataError(f"{manifest}: names no piece that can be used")
    figures: dict[str, Any] = {
        "pieces": len(pieces),
        "sixteenths": sum(map(len, pieces)),
        **evaluate_nll(harmoniser.model, pieces),
        "theirs": _count_rules(pieces),
    }
    for name, strict in (("ours", True), ("ours_without_rules", False)):
        randoms = (np.random.default_rng([0, number]) for number in range(len(pieces)))
        drafts = [
            PartialHarmonisation(hold_through_rests(piece[:, 0]), random)
            for piece, random in zip(pieces, randoms, strict=True)
        ]
        generate(harmoniser.model, drafts, DEFAULT_SAMPLING, strict=strict)
        rests = [piece[:, :1] == REST for piece in pieces]
        written = [np.where(rest, REST, draft.frames) for rest, draft in zip(rests, drafts, strict=True)]
        figures[name] = _count_rules(written)
    return figures


def _count_rules(pieces: list[np.ndarray]) -> dict[str, Any]:
    """Return the counts in pieces, and how many there are in a hundred chords."""
    counts = sum(map(count, pieces), RuleCounts())
    return asdict(counts) | {"per_100_chords": counts.per_100()}
