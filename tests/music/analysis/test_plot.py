"""Plots are written and contain the expected colours and sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import colors, image

from audioseq.errors import ConfigError, FileError
from audioseq.midi import Note, Score
from audioseq.music.analysis.plot import COLOURS, compare, piano_roll
from audioseq.music.analysis.statistics import Row

DUET = Score((Note(60, 127, 0.0, 4.0), Note(72, 127, 4.0, 4.0, 40, track=1)), names=("left", "right"))


def share(path: Path, colour: str) -> float:
    """Return the share of pixels of a colour."""
    pixels = image.imread(path)[..., :3]
    return float((np.abs(pixels - colors.to_rgb(colour)).max(axis=-1) < 0.02).mean())


def test_tracks_have_different_colours(tmp_path: Path) -> None:
    piano_roll(DUET, tmp_path / "a.png", "A duet")
    assert share(tmp_path / "a.png", COLOURS[0]) > 0.005
    assert share(tmp_path / "a.png", COLOURS[1]) > 0.005
    assert share(tmp_path / "a.png", COLOURS[2]) == 0


def test_soft_notes_are_paler(tmp_path: Path) -> None:
    piano_roll(Score((Note(60, 10, 0.0, 4.0),)), tmp_path / "soft.png")
    piano_roll(Score((Note(60, 127, 0.0, 4.0),)), tmp_path / "loud.png")
    assert share(tmp_path / "soft.png", COLOURS[0]) < 0.2 * share(tmp_path / "loud.png", COLOURS[0])


@pytest.mark.parametrize(
    "score",
    [
        Score(()),
        Score((Note(0, 1, 0.0, 0.01), Note(127, 127, 3000.0, 1.0, drum=True, track=9))),
        Score(tuple(Note(60, 64, 0.0, 1.0, track=n) for n in range(20)), time_signatures=()),
    ],
    ids=["empty", "long and wide", "many tracks"],
)
def test_extreme_scores_are_drawn(score: Score, tmp_path: Path) -> None:
    piano_roll(score, tmp_path / "a.png")
    height, width, _ = image.imread(tmp_path / "a.png").shape
    assert 100 < height < 4000 and 500 < width < 8000


def test_statistics_outside_the_reference_range_are_orange(tmp_path: Path) -> None:
    within = Row("polyphony", (1.0, 2.0, 3.0), (1.0, 2.1, 3.0))
    outside = Row("pitch_range", (9.0, 9.0, 9.0), (1.0, 2.0, 3.0))
    compare([within, outside], tmp_path / "both.png", "Title")
    compare([within], tmp_path / "within.png")
    assert share(tmp_path / "both.png", COLOURS[1]) > 0 == share(tmp_path / "within.png", COLOURS[1])


def test_invalid_input_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot draw \.bmp"):
        piano_roll(DUET, tmp_path / "a.bmp")
    with pytest.raises(ConfigError, match="no statistics"):
        compare([], tmp_path / "a.png")
    with pytest.raises(FileError, match="cannot be written"):
        piano_roll(DUET, tmp_path / "none" / "a.png")
