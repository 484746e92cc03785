"""Composing: any model gives music, equal seeds give equal music, wishes are granted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audioseq.errors import AudioseqError, CheckpointError, ConfigError
from audioseq.midi import Score
from audioseq.music import pipeline
from audioseq.music.generation import generate
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.pipeline import CompositionOptions
from audioseq.music.representation.grid import to_grid, to_score
from tests.music import tiny


@given(st.integers(0, 10**6), st.floats(0, 1e9), st.integers(0, 300), st.floats(1e-9, 1), st.floats(0, 50))
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
def test_any_model_composes_music_that_can_be_played(
    seed: int, temperature: float, top_k: int, top_p: float, scale: float
) -> None:
    composer = tiny.composer(seed, scale)
    wishes = CompositionOptions(bars=2)
    for piece in composer.compose(
        seed, count=2, options=wishes, sampling=Sampling(temperature, top_k, top_p)
    ):
        if not piece.score.notes:
            continue
        back = to_grid(Score.load(piece.score.to_bytes()))
        assert len(back.notes) == len(piece.score.notes)


def test_a_model_of_nans_composes_too() -> None:
    composer = tiny.composer()
    with torch.no_grad():
        for parameter in composer.model.parameters():
            parameter.fill_(torch.nan)
    composer.compose(1, options=CompositionOptions(bars=1))


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=9),
    st.floats(0, 1e9),
    st.integers(0, 12),
    st.floats(1e-12, 1),
    st.data(),
)
@settings(deadline=None)
def test_only_what_is_allowed_is_drawn(
    scores: list[float], temperature: float, top_k: int, top_p: float, data: st.DataObject
) -> None:
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    if allowed.any():
        chosen = draw(
            np.array(scores), allowed, Sampling(temperature, top_k, top_p), np.random.default_rng(0)
        )
        assert allowed[chosen]


def test_draws_follow_the_probabilities() -> None:
    random = np.random.default_rng(0)
    wanted = np.array([0.5, 0.3, 0.15, 0.05])
    everything = np.ones(4, bool)
    counts = np.bincount(
        [draw(np.log(wanted), everything, Sampling(), random) for _ in range(4000)], minlength=4
    )
    assert np.abs(counts / 4000 - wanted).max() < 0.03
    few = {draw(np.log(wanted), everything, Sampling(top_p=0.7), random) for _ in range(100)}
    assert few == {0, 1}
    assert {draw(np.log(wanted), everything, Sampling(top_k=3), random) for _ in range(200)} == {0, 1, 2}


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        piece = tiny.composer().compose(7, options=CompositionOptions(bars=3))[0]
        piece.save(tmp_path / "a.mid")
        contents.append((tmp_path / "a.mid").read_bytes())
    assert contents[0] == contents[1]
    assert "seed 7," in Score.load(tmp_path / "a.mid").text
    assert tiny.composer().compose(8, options=CompositionOptions(bars=3))[0].score != piece.score


@pytest.mark.parametrize("bars", [1, 5])
def test_a_piece_has_the_bars_that_were_asked_for(bars: int) -> None:
    piece = tiny.composer().compose(3, options=CompositionOptions(bars=bars, key="Eb", tempo=93))[0]
    assert piece.conditions.bars == bars and piece.conditions.tonic == 3
    assert piece.score.tempos == ((0.0, 93.0),)
    assert len(piece.score.bars()) - 1 <= bars  # no note rings on into another


def test_pieces_come_home() -> None:
    """Even those of a model that knows nothing, where its twelve tries are enough."""
    composer = tiny.composer(scale=0.3)  # nearly all is equally likely
    found = []
    for key in ("C", "f# minor"):
        for piece in composer.compose(1, count=8, options=CompositionOptions(bars=3, key=key)):
            grid = to_grid(piece.score)
            assert len(grid.meters) <= 3 and piece.conditions.bars == 3
            found.append(grid.final_bass == piece.conditions.tonic)
    assert np.mean(found) > 0.3  # a twelfth by chance


@pytest.mark.parametrize("best_of", [1, 6])
def test_of_several_one_that_copies_nothing_is_kept(best_of: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "TRIES", 1)  # no event is drawn again
    composer = tiny.composer(scale=1.0)
    wishes = CompositionOptions(bars=8)
    copied = composer.compose(5, options=wishes)[0]
    composer.heard = Fingerprint.of([to_grid(copied.score)])
    piece = composer.compose(5, options=wishes, best_of=best_of)[0]
    assert piece.copied == (best_of == 1)
    assert (piece.score == copied.score) == (best_of == 1)


def test_a_primer_comes_first_or_is_left_out() -> None:
    primer = to_score(tiny.song(bars=2))
    composer = tiny.composer()
    whole = composer.compose(1, options=CompositionOptions(bars=2), primer=primer)[0].score
    rest = composer.compose(1, options=CompositionOptions(bars=2), primer=primer, with_primer=False)[0].score
    sounds = {(note.track, note.pitch, round(note.onset, 6)) for note in whole.notes}
    given = {(note.track, note.pitch, round(note.onset, 6)) for note in primer.notes}
    assert given < sounds
    new = sorted(onset for _, _, onset in sounds - given)
    assert np.allclose(np.array(new) - new[0] // 2 * 2, sorted(note.onset for note in rest.notes))


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"bars": 0}, "bars is 0"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": 9e9}, "seconds is 9e"),
        ({"key": "H sharp"}, "key is 'H sharp'"),
        ({"style": "polka"}, "style is 'polka'"),
        ({"tempo": float("nan")}, "tempo is nan"),
        ({"density": 0.0}, "density is 0"),
        ({"bars": 4, "seconds": 9}, "give one of them"),
    ],
)
def test_a_wish_that_cannot_be_granted(wishes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        CompositionOptions(**wishes)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [-1, float("nan"), float("inf")])
def test_a_temperature_that_is_none(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Sampling(temperature)


def test_a_model_of_another_task() -> None:
    with pytest.raises(CheckpointError, match="for speech, not for music"):
        pipeline.load_composer("digits")


def test_a_wish_that_is_unknown() -> None:
    with pytest.raises(AudioseqError, match="no such wish"):
        pipeline.compose(1, speed=3)
