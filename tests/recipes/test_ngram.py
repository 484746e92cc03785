"""The n-gram recipe on a text of a few sentences, and its results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from audioseq.config import read_toml

RECIPE = Path(__file__).parents[2] / "recipes" / "ngram"
TEXT = "the cat sat on the mat\nthe dog sat on the cat\na cat saw the dog\nThe mat: red.\n" * 60


def call(script: str, *arguments: object) -> str:
    command = [sys.executable, str(RECIPE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_prepare_train_and_infer(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    prepared = call("prepare.py", "--from", tmp_path / "text.txt", "--out", tmp_path / "data")
    assert "held-out.txt: 3 sentences" in prepared and "train.txt: 237 sentences" in prepared
    table = call(
        "train.py", "--smoke", "--run-dir", tmp_path / "run", "--set", f"data={str(tmp_path / 'data')!r}"
    )
    assert [line.split("\t")[0] for line in table.splitlines()] == ["2-gram", "3-gram-0.012MB"]
    probable, improbable = call(
        "infer.py", "The cat sat on the mat.", "mat the on", "--model", tmp_path / "run/2-gram.safetensors"
    ).splitlines()
    assert float(probable.split("\t")[0]) > float(improbable.split("\t")[0])
    assert probable.count("\t") == 7


def test_readme_has_the_perplexity_of_each_model() -> None:
    readme = (RECIPE / "README.md").read_text(encoding="utf-8")
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert results["models"][read_toml(RECIPE / "config.toml")["best"]]["perplexity"] == float(
        results["headline"]
    )
    for row in results["models"].values():
        assert f"{row['perplexity']}" in readme
