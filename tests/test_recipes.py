"""Every recipe is complete, its README has the figures of its results, and its smoke run overfits."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from audioseq.config import load, read_toml
from audioseq.speech.config import SpeechConfig
from audioseq.speech.task import train

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path for path in (ROOT / "recipes").iterdir() if any(path.glob("*.py")))
FILES = ("README.md", "prepare.py", "train.py", "infer.py", "config.toml")
HEADLINED = [path for path in RECIPES if path.name != "memory-lstm"]  # its tables have their own test
SPEECH = [path for path in RECIPES if read_toml(path / "config.toml").get("task") == "speech"]

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
each_speech_recipe = pytest.mark.parametrize("recipe", SPEECH, ids=lambda path: path.name)


def test_the_speech_recipes_are_found() -> None:
    assert {path.name for path in SPEECH} == {"adapt-ctc", "digits-ctc", "english-ctc", "librispeech-ctc"}


@each_recipe
def test_is_complete(recipe: Path) -> None:
    assert not [name for name in FILES if not (recipe / name).is_file()]


@each_recipe
@pytest.mark.parametrize("name", ["train.py", "infer.py"])
def test_scripts_are_short_and_use_the_public_api(recipe: Path, name: str) -> None:
    source = (recipe / name).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 41
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("audioseq"):
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


@pytest.mark.parametrize("recipe", HEADLINED, ids=lambda path: path.name)
def test_the_readme_has_the_figures_of_the_results(recipe: Path) -> None:
    readme = (recipe / "README.md").read_text(encoding="utf-8")
    if not (recipe / "results.json").exists():
        assert "Not measured yet" in readme
        return
    results = json.loads((recipe / "results.json").read_text(encoding="utf-8"))
    assert "Not measured yet" not in readme
    assert f"**{results['headline']}**" in readme
    assert results["date"] in readme
    assert results["hardware"] in " ".join(readme.split())


@each_speech_recipe
@pytest.mark.parametrize("smoke", [False, True])
def test_the_config_is_strict(recipe: Path, smoke: bool) -> None:
    config = load(SpeechConfig, recipe / "config.toml", smoke=smoke)
    assert all(path.parts[0] == ("assets" if smoke else "runs") for path in config.data.train)


@each_speech_recipe
def test_the_smoke_run_overfits(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    cache = f"data.cache={str(tmp_path / 'cache')!r}"
    result = train(
        recipe / "config.toml", run_dir=tmp_path / "run", overrides=[cache], smoke=True, device="cpu"
    )
    assert result.metrics["wer"] == 0
