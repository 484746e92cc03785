"""The chorale recipe: data split, smoke run and results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audioseq.config import load
from audioseq.music.harmony.config import HarmonyConfig
from audioseq.music.harmony.task import train

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "chorale-lstm"


def test_prepare_writes_the_standard_split(tmp_path: Path) -> None:
    rows = [[67, 64, 60, 48]] * 4
    (tmp_path / "four.json").write_text(
        json.dumps({"train": [rows] * 3, "valid": [rows] * 2, "test": [rows]})
    )
    command = [sys.executable, str(RECIPE / "prepare.py"), "--from", str(tmp_path / "four.json")]
    done = subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.split("\n")[:3] == [
        "train.jsonl: 3 pieces",
        "valid.jsonl: 2 pieces",
        "test.jsonl: 1 pieces",
    ]


@pytest.mark.parametrize("smoke", [False, True])
def test_config_is_valid(smoke: bool) -> None:
    assert load(HarmonyConfig, RECIPE / "config.toml", smoke=smoke).task == "harmony"


def test_smoke_run_overfits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = train(RECIPE / "config.toml", run_dir=tmp_path, smoke=True, device="cpu")
    assert result.metrics["nats"] < 0.05


def test_readme_has_the_rates_of_parallels() -> None:
    readme = (RECIPE / "README.md").read_text(encoding="utf-8")
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    for key in ("theirs", "ours", "ours_without_rules"):
        assert f"{results['test'][key]['per_100_chords']['parallels']:.2f}" in readme
