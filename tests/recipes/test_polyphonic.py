"""Tests of the recipe polyphonic-nll: exact probabilities, causality, a smoke run, the published results."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from audioseq.config import load
from audioseq.midi import Score
from tests.recipes.script import importer, run

RECIPE = Path(__file__).parents[2] / "recipes" / "polyphonic-nll"
ROLLS = {"lags": [1, 2, 5], "hidden_size": 6, "key_size": 5, "window": 2, "below": 3}
VOICES = {"lags": [1, 3], "hidden_size": 6, "cell_size": 5}


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    return importer(RECIPE, monkeypatch)


def build(recipe: Callable[[str], Any], kind: str, **options: Any) -> tuple[Any, Any]:
    """Build a network with large random weights, so that every input matters."""
    torch.manual_seed(3)
    model, encode = recipe("task").build(kind, options)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.6)
    return model.eval(), encode


def rolls_of(frames: int, keys: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((frames, keys)) < 0.4).astype(np.uint8)


def chorale(sixteenths: int, seed: int = 0) -> np.ndarray:
    """Draw four voices with steps, rests, and some pitches far away."""
    random = np.random.default_rng(seed)
    pitches = np.array([70, 64, 57, 50]) + random.integers(-3, 4, (sixteenths, 4))
    pitches[random.random(pitches.shape) < 0.1] = -1
    pitches[random.random(pitches.shape) < 0.05] = 100
    return pitches.astype(np.int16)


@torch.no_grad()
def nats(recipe: Callable[[str], Any], model: Any, piece: Any) -> torch.Tensor:
    """Return the negative log-likelihood of each frame."""
    nats: torch.Tensor = model(*recipe("task").collate([piece.window(0, len(piece))]))
    return nats


@pytest.mark.parametrize("head", ["tied", "independent"])
def test_probabilities_of_all_frames_sum_to_one(recipe: Callable[[str], Any], head: str) -> None:
    model, encode = build(recipe, "rolls", range=[1, 5, 0.1], network={"head": head, **ROLLS})
    piece = rolls_of(4, 6)
    total = 0.0
    for frame in itertools.product([0, 1], repeat=6):  # four keys in the range, and one to either side
        piece[3] = frame
        total += math.exp(-nats(recipe, model, encode(piece))[3].item())
    assert total == pytest.approx(1, abs=1e-4)


def test_samples_have_these_probabilities(recipe: Callable[[str], Any]) -> None:
    model, encode = build(recipe, "rolls", range=[0, 3, 0.1], network={"head": "tied", **ROLLS})
    piece, count = rolls_of(4, 3), 4000
    history, _, _, lengths = recipe("task").collate([encode(piece).window(0, 4)])
    with torch.no_grad():
        features = model.features(history[:, :, 0], lengths)[0, -1:].expand(count, -1)
    generator = torch.Generator().manual_seed(0)
    frames = recipe("sampling").sample_frames(
        model, features, history[0, -1:].expand(count, -1, -1), generator
    )
    for frame in itertools.product([0, 1], repeat=3):
        piece[3] = frame
        probability = math.exp(-nats(recipe, model, encode(piece))[3].item())
        share = (frames == frame).all(axis=1).mean()
        assert abs(share - probability) < 4 * math.sqrt(probability * (1 - probability) / count) + 1e-3


@pytest.mark.parametrize("voice", range(4))
def test_probabilities_of_all_pitches_of_a_voice_sum_to_one(recipe: Callable[[str], Any], voice: int) -> None:
    """For any decided voices; so the product over the voices is a joint probability."""
    order = [0, 3, 2, 1]
    model, encode = build(recipe, "voices", order=order, network=VOICES)
    voices, windows = recipe("voices"), []
    for pitch in range(-1, voices.PITCHES):
        piece = chorale(6)
        piece[5, voice] = pitch
        windows.append(encode(piece).window(0, 6))
    frames, cells, histograms, classes, lengths = recipe("task").collate(windows)
    with torch.no_grad():
        scores = model.scores(frames, cells, histograms, lengths).view(len(windows), 6, 4, -1)[:, 5, voice]
    own = classes[:, 5, voice]
    far = own == voices.OTHER_CLASS
    chances = scores.gather(1, own[:, None])[:, 0].exp() / torch.where(far, voices.PITCHES, 1)
    # All pitches share one class; those with a class of their own lose their share of it.
    lost = scores[0, voices.OTHER_CLASS].exp() * ((~far).sum() - 1) / voices.PITCHES
    assert (chances.sum() + lost).item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", ["rolls", "voices"])
def test_a_frame_depends_only_on_the_frames_before(recipe: Callable[[str], Any], kind: str) -> None:
    if kind == "rolls":
        options: dict[str, Any] = {"range": [0, 6, 0.1], "network": {"head": "tied", **ROLLS}}
        piece, other = rolls_of(12, 6), rolls_of(12, 6, seed=1)
    else:
        options = {"order": [0, 3, 2, 1], "network": VOICES}
        piece, other = chorale(12), chorale(12, seed=1)
    model, encode = build(recipe, kind, **options)
    changed = np.concatenate([piece[:8], other[8:]])
    before, after = (nats(recipe, model, encode(each)) for each in (piece, changed))
    torch.testing.assert_close(before[:8], after[:8])
    assert not torch.allclose(before[8], after[8])


def test_windows_of_a_batch_have_the_arrays_of_the_whole_piece(recipe: Callable[[str], Any]) -> None:
    model, encode = build(recipe, "rolls", range=[0, 6, 0.1], network={"head": "tied", **ROLLS})
    piece = encode(rolls_of(11, 6))
    whole, window = piece.window(0, 11), piece.window(4, 9)
    for array, part in zip(whole, window, strict=True):
        np.testing.assert_array_equal(array[4:9], part)
    history = whole[0]
    for channel, lag in enumerate(ROLLS["lags"]):  # type: ignore[arg-type, var-annotated]
        np.testing.assert_array_equal(history[lag:, channel], piece.frames[:-lag])
        assert not history[:lag, channel].any()
    batch = recipe("task").collate([piece.window(0, 5), piece.window(5, 7)])
    with torch.no_grad():
        alone = [model(*recipe("task").collate([piece.window(*ends)])) for ends in ((0, 5), (5, 7))]
        torch.testing.assert_close(model(*batch), torch.cat(alone))


def test_steps_are_the_same_at_every_pitch(recipe: Callable[[str], Any]) -> None:
    """Except for the first notes and the absolute pitch, the network reads a transposed piece alike."""
    voices, piece = recipe("voices"), chorale(20)
    piece[piece == 100] = 60
    piece[0] = [70, 64, 57, 50]
    higher = np.where(piece == -1, -1, piece + 3)
    low, high = (voices.Voices(each, (1, 2), (0, 3, 2, 1)).window(1, 20) for each in (piece, higher))
    np.testing.assert_array_equal(low[0][1:], high[0][1:])
    np.testing.assert_array_equal(low[1][:, :, :-1], high[1][:, :, :-1])
    np.testing.assert_allclose(low[2], high[2], atol=1e-6)
    np.testing.assert_array_equal(low[3], high[3])


def write_sets(folder: Path) -> None:
    """Write small sets in the format of the real ones."""
    folder.mkdir()
    for name in ("JSB_Chorales", "Nottingham", "MuseData", "Piano_midi"):
        rolls = {}
        for split in ("train", "valid", "test"):
            pieces = np.empty((1, 3), object)
            for index in range(3):
                pieces[0, index] = np.pad(rolls_of(9 + index, 6, index), ((0, 0), (40, 42)))
            rolls[f"{split}data"] = pieces
        savemat(folder / f"{name}.mat", rolls)
    chorales = {split: [chorale(12).tolist()] * 3 for split in ("train", "valid", "test")}
    (folder / "Jsb16thSeparated.json").write_text(json.dumps(chorales))


def test_smoke_run_publishes_resumes_and_samples(
    recipe: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "recipe"
    shutil.copytree(RECIPE, copy, ignore=shutil.ignore_patterns("__pycache__", "results.json", ".mypy_cache"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"^error: .*jsb\.npz: is missing; run prepare\.py first"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)
    write_sets(tmp_path / "sets")
    run(copy / "prepare.py", "--from", "sets", monkeypatch=monkeypatch)
    assert "jsb.npz: 3 train pieces" in capsys.readouterr().out

    run(copy / "train.py", "--smoke", "--publish", "a test", "jsb", monkeypatch=monkeypatch)
    (row,) = json.loads((copy / "results.json").read_text(encoding="utf-8"))["rows"]
    assert row["set"] == "jsb" and 0 < row["test"]["mean"] < 88 * math.log(2)
    output = capsys.readouterr().out
    assert "| RNN-NADE (Boulanger-Lewandowski et al. 2012) | 5.56 | 2.31 | 5.60 | 7.05 |" in output
    assert "Not trained so far: Nottingham, MuseData, Piano-midi." in (copy / "README.md").read_text()

    with pytest.raises(SystemExit, match="contains an experiment; continue it with --resume"):
        run(copy / "train.py", "--smoke", monkeypatch=monkeypatch)
    run(copy / "train.py", "--smoke", "--resume", "--publish", "a test", monkeypatch=monkeypatch)
    output = capsys.readouterr().out
    assert "voices, LSTM, intervals, seed 1" in output and "jsb, LSTM, tied keys, seed 1" not in output
    journal = tmp_path / "runs/polyphonic/figures.jsonl"
    figures = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    assert [each["set"] for each in figures] == ["jsb", "voices"]

    models = [str(journal.parent / each["model"]) for each in figures]
    run(copy / "infer.py", models[0], "--frames", "5", monkeypatch=monkeypatch)
    assert "sample.mid: " in capsys.readouterr().out
    assert Score.load(tmp_path / "sample.mid").end <= 2.5
    with pytest.raises(SystemExit, match="is a model of voices"):
        run(copy / "infer.py", models[1], monkeypatch=monkeypatch)


def test_published_results_match_readme(recipe: Callable[[str], Any]) -> None:
    config = load(recipe("experiment").ExperimentConfig, RECIPE / "config.toml")
    if not (RECIPE / "results.json").exists():  # the README says so, see test_recipes.py
        return
    results = json.loads((RECIPE / "results.json").read_text(encoding="utf-8"))
    assert recipe("report").section(results) in (RECIPE / "README.md").read_text(encoding="utf-8")
    rows = {(row.set, row.name) for row in config.rows}
    assert {(row["set"], row["name"]) for row in results["rows"]} <= rows
