"""The music recipes: configs, smoke runs, prepared manifests and measurements."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from audioseq.config import load
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest
from audioseq.music.task import train
from tests.music import tiny
from tests.recipes.script import module

ROOT = Path(__file__).parents[2]
RECIPES = [ROOT / "recipes" / name for name in ("adapt-music", "music-lstm")]

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)


@each_recipe
@pytest.mark.parametrize("smoke", [False, True])
def test_config_is_strict(recipe: Path, smoke: bool) -> None:
    config = load(MusicConfig, recipe / "config.toml", smoke=smoke)
    assert all(path.parts[0] == ("recipes" if smoke else "runs") for path in config.data.train)


@each_recipe
def test_smoke_run_overfits(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = train(recipe / "config.toml", run_dir=tmp_path, smoke=True, device="cpu")
    assert result.metrics["nats_per_note"] < 2


def test_adaptation_test_set_is_separate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(35):
        (tmp_path / f"rag-{number}.mid").touch()
    monkeypatch.setattr(sys, "argv", ["", "--from", str(tmp_path), "--out", str(tmp_path / "out")])
    module(ROOT / "recipes/adapt-music/prepare.py").main()
    sets = {path.stem: {entry.id for entry in read_manifest(path)} for path in (tmp_path / "out").glob("*")}
    assert len(sets) == 7 and len(sets["test"]) == 7
    for count in (5, 15, 28):
        train, valid = sets[f"{count:02}-train"], sets[f"{count:02}-valid"]
        assert len(train | valid) == count and valid and not train & valid
        assert not (train | valid) & sets["test"]


def test_measurements_of_a_composer() -> None:
    measure = module(ROOT / "recipes/music-lstm/measure.py")
    piece = tiny.song(bars=40)
    middle = measure.middle(piece)
    assert len(middle.meters) == 32 and len(middle.notes) == 32 * 7 and middle.notes[0].onset == 0
    assert measure.middle(tiny.song(bars=8)) == tiny.song(bars=8)
    assert measure.histograms(middle).shape == (153,)
    composer = tiny.composer(scale=1.0)
    found = measure.granted(composer, 8)
    assert found["length"] == found["tempo"] == 1 and 0 <= found["key"] <= 1
    made = composer.compose(1, count=2, options=measure.CompositionOptions(bars=2))
    assert all(0 <= share <= 1 for share in measure.endings(made, composer))
