"""The music recipes: configs, smoke runs, prepared manifests and measurements."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from audioseq.config import load
from audioseq.midi import Note, Score
from audioseq.music.config import MusicConfig
from audioseq.music.data.corpora import read_manifest
from audioseq.music.task import train
from tests.music import tiny
from tests.recipes.script import importer, module

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
    assert all(0 <= share <= 1 for share in measure.endings(made, tiny.network(scale=1.0)))


def test_the_published_comparison_is_in_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT / "recipes/music-lstm"
    compared = json.loads((folder / "results.json").read_text(encoding="utf-8"))["compared"]
    assert set(compared) == {"pop", "lied", "quartet", "chorale"}
    table = importer(folder, monkeypatch)("compare").table(compared)
    assert table in (folder / "README.md").read_text(encoding="utf-8")


def test_habits_are_learnt_from_songs() -> None:
    performance = module(ROOT / "recipes/music-lstm/performance.py")
    grid = Score(  # a new bass at each bar line, held by the pedal until then; a quarter takes half a second
        tuple(Note(36 + 2 * (n % 3) + above, 80, 2.0 * n, 2.0) for n in range(40) for above in (0, 12))
    )
    changes = [(2.0 * n + shift, 0, shift > 0) for n in range(1, 40) for shift in (-0.1, 0.1)]
    late = (
        np.random.default_rng(1).normal(0, 0.01, 40).repeat(2)
    )  # the recording begins 3 beats before the grid
    notes = tuple(
        Note(note.pitch, 80, note.onset + 1.5 + shift, 0.5)
        for note, shift in zip(grid.notes, late, strict=True)
    )
    pedals = ((1.6, 0, True), *((seconds + 1.5, track, down) for seconds, track, down in changes))
    song = performance.Song(Score(notes, pedals=(*pedals, (81.5, 0, False))), grid, -3.0)
    assert performance.uses_pedal(song)
    found = performance.learn_pedal([song])
    assert found["lift"] == pytest.approx([-0.1] * 25, abs=1e-3)
    assert found["press"] == pytest.approx([0.2] * 25, abs=1e-3)
    assert found["change"][0][2][1][3] > 0.95 > 0.1 > found["change"][1][0][0][0]
    timing = performance.learn_timing(performance.free_tracks([song.recorded])[0])
    assert np.ptp(timing["deviation"]) == pytest.approx(np.ptp(late), abs=0.012)
    assert timing["chord"] == 1 and timing["next"] < 0.6
