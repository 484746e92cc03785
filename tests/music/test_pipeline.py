"""Composing: any model generates valid music, equal seeds give equal music, options are followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audioseq.errors import AudioseqError, CheckpointError, ConfigError
from audioseq.midi import Score
from audioseq.music import pipeline
from audioseq.music.generation import generate
from audioseq.music.generation.sampling import Sampling, draw
from audioseq.music.memorisation.fingerprint import Fingerprint
from audioseq.music.pipeline import Composer, CompositionOptions
from audioseq.music.representation.grid import to_grid, to_score
from tests.music import tiny


@given(st.integers(0, 10**6), st.floats(0, 1e9), st.integers(0, 300), st.floats(1e-9, 1), st.floats(0, 50))
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
def test_any_model_generates_valid_midi(
    seed: int, temperature: float, top_k: int, top_p: float, scale: float
) -> None:
    composer = tiny.composer(seed, scale)
    options = CompositionOptions(bars=2)
    for piece in composer.compose(
        seed, count=2, options=options, sampling=Sampling(temperature, top_k, top_p)
    ):
        if not piece.score.notes:
            continue
        back = to_grid(Score.load(piece.score.to_bytes()))
        assert len(back.notes) == len(piece.score.notes)


def test_model_with_nan_weights_generates_music() -> None:
    composer = Composer(tiny.step(tiny.network(scale=np.nan)), tiny.header())
    composer.compose(1, options=CompositionOptions(bars=1))


@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=9),
    st.floats(0, 1e9),
    st.integers(0, 12),
    st.floats(1e-12, 1),
    st.data(),
)
@settings(deadline=None)
def test_only_allowed_values_are_sampled(
    scores: list[float], temperature: float, top_k: int, top_p: float, data: st.DataObject
) -> None:
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores))))
    if allowed.any():
        chosen = draw(
            np.array(scores), allowed, Sampling(temperature, top_k, top_p), np.random.default_rng(0)
        )
        assert allowed[chosen]


def test_samples_follow_the_probabilities() -> None:
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
def test_piece_has_the_requested_length_key_and_tempo(bars: int) -> None:
    piece = tiny.composer().compose(3, options=CompositionOptions(bars=bars, key="Eb", tempo=93))[0]
    assert piece.conditions.bars == bars and piece.conditions.tonic == 3
    assert piece.score.tempos == ((0.0, 93.0),)
    assert len(piece.score.bars()) - 1 <= bars  # no note ends after the last bar


def test_pieces_end_on_the_tonic() -> None:
    """Many pieces of an untrained model do too, as the ending is resampled up to twelve times."""
    composer = tiny.composer(scale=0.3)  # nearly uniform probabilities
    ends_on_tonic = []
    for key in ("C", "f# minor"):
        for piece in composer.compose(1, count=8, options=CompositionOptions(bars=3, key=key)):
            grid = to_grid(piece.score)
            assert len(grid.meters) <= 3 and piece.conditions.bars == 3
            ends_on_tonic.append(grid.final_bass == piece.conditions.tonic)
    assert np.mean(ends_on_tonic) > 0.3  # by chance 1 in 12


@pytest.mark.parametrize("best_of", [1, 6])
def test_best_of_prefers_a_candidate_without_copies(best_of: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "MAX_ATTEMPTS", 1)  # no event is resampled
    composer = tiny.composer(scale=1.0)
    options = CompositionOptions(bars=8)
    copied = composer.compose(5, options=options)[0]
    composer.training_runs = Fingerprint.from_pieces([to_grid(copied.score)])
    piece = composer.compose(5, options=options, best_of=best_of)[0]
    assert piece.copied == (best_of == 1)
    assert (piece.score == copied.score) == (best_of == 1)


def test_an_error_of_the_check_stops_the_composition() -> None:
    calls = iter(range(5))
    with pytest.raises(StopIteration):
        tiny.composer().compose(0, options=CompositionOptions(bars=8), check=lambda: next(calls))
    assert next(calls, None) is None


def test_primer_is_included_or_excluded() -> None:
    primer = to_score(tiny.song(bars=2))
    composer = tiny.composer()
    whole = composer.compose(1, options=CompositionOptions(bars=2), primer=primer)[0].score
    rest = composer.compose(1, options=CompositionOptions(bars=2), primer=primer, with_primer=False)[0].score
    notes = {(note.track, note.pitch, round(note.onset, 6)) for note in whole.notes}
    primer_notes = {(note.track, note.pitch, round(note.onset, 6)) for note in primer.notes}
    assert primer_notes < notes
    new = sorted(onset for _, _, onset in notes - primer_notes)
    assert np.allclose(np.array(new) - new[0] // 2 * 2, sorted(note.onset for note in rest.notes))


@pytest.mark.parametrize(
    ("options", "message"),
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
def test_invalid_options_are_rejected(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CompositionOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [-1, float("nan"), float("inf")])
def test_invalid_temperatures_are_rejected(temperature: float) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        Sampling(temperature)


def test_model_of_another_task_is_rejected() -> None:
    with pytest.raises(CheckpointError, match="for speech, not for music"):
        pipeline.load_composer("digits")


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(AudioseqError, match="has no option speed"):
        pipeline.compose(1, speed=3)
