"""How often phrases repeat, with which lags, and for how long."""

from __future__ import annotations

import numpy as np
import pytest

from audioseq.music.generation.repetition import (
    FREE_ENDING_BARS,
    LAG_BARS,
    PHRASE_BARS,
    REPETITION_PROBABILITIES,
    sample_repeat_lag,
)
from audioseq.music.representation.vocabulary import STYLES


@pytest.mark.parametrize("style", ["pop", "chorale"])
def test_whole_phrases_repeat_and_the_ending_is_free(style: str) -> None:
    random, pieces = np.random.default_rng(0), []
    for _ in range(300):
        lag, piece = 0, []
        for bar in range(32):
            lag = sample_repeat_lag(bar, 31 - bar, STYLES.index(style), lag, random)
            piece.append(lag)
        pieces.append(piece)
    found = np.array(pieces)
    assert not found[:, :PHRASE_BARS].any() and not found[:, -FREE_ENDING_BARS:].any()
    assert (found <= np.arange(32)).all() and set(found.ravel().tolist()) == {0, *LAG_BARS}
    starts = found[:, :-PHRASE_BARS:PHRASE_BARS]
    for later in range(1, PHRASE_BARS):
        assert np.array_equal(found[:, later:-PHRASE_BARS:PHRASE_BARS], starts)
    assert abs((starts[:, 1:] > 0).mean() - REPETITION_PROBABILITIES[style]) < 0.05
