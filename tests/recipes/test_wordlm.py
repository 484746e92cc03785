"""The recipe of the LSTM language model: data split and smoke run."""

from __future__ import annotations

import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from audioseq.config import load
from audioseq.language.config import LanguageConfig
from audioseq.language.task import train

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "wordlm-lstm"


def test_prepare_holds_out_every_hundredth_sentence(tmp_path: Path) -> None:
    lines = [f"Line {'x' * (n % 7 + 1)} of a book!" for n in range(201)]
    with lzma.open(tmp_path / "book.txt.xz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    command = [sys.executable, str(RECIPE / "prepare.py"), "--from", str(tmp_path / "book.txt.xz")]
    subprocess.run([*command, "--out", str(tmp_path / "out")], check=True, capture_output=True)
    held_out = (tmp_path / "out" / "valid.txt").read_text().splitlines()
    trained = (tmp_path / "out" / "train.txt").read_text().splitlines()
    normalised = [line.lower().rstrip("!") for line in lines]
    assert held_out == normalised[::100]
    assert len(trained) == 198
    assert trained[:3] == normalised[1:4]


@pytest.mark.parametrize("smoke", [False, True])
def test_config_is_valid(smoke: bool) -> None:
    assert load(LanguageConfig, RECIPE / "config.toml", smoke=smoke).subwords


def test_smoke_run_overfits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = train(RECIPE / "config.toml", run_dir=tmp_path, smoke=True, device="cpu")
    assert result.metrics["perplexity"] < 2
