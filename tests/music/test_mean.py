"""The weight averaging program of the music recipe."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from audioseq import checkpoint
from audioseq.music.memorisation.fingerprint import TENSOR_NAME, Fingerprint, write_fingerprint
from tests.music import tiny

PROGRAM = Path(__file__).parents[2] / "recipes" / "music-lstm" / "mean.py"


def mean(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(PROGRAM), *arguments])
    runpy.run_path(str(PROGRAM), run_name="__main__")


def test_weights_are_averaged_and_the_fingerprint_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tiny.model_file(tmp_path / "one")
    write_fingerprint(Fingerprint.from_pieces([tiny.song()]), {one})
    first = checkpoint.load(one)
    other, both = tmp_path / "other", tmp_path / "both"
    tripled = {n: 3 * weight for n, weight in first.weights.items() if weight.is_floating_point()}
    checkpoint.save(other, tripled, replace(first.header, card={"licence": "same", "epochs": 2}))
    checkpoint.save(one, first.weights, replace(first.header, card={"licence": "same", "epochs": 1}))
    mean(monkeypatch, str(one), str(other), "--output", str(both))
    found = checkpoint.load(both)
    assert torch.equal(found.weights[TENSOR_NAME], first.weights[TENSOR_NAME])
    assert all(torch.allclose(found.weights[n], 2 * first.weights[n]) for n in tripled)
    assert found.header.card == {"licence": "same", "mean_of": [{"epochs": 1}, {"epochs": 2}]}
    with pytest.raises(SystemExit, match="error: nothing: no such model"):
        mean(monkeypatch, str(one), "nothing", "--output", str(both))
